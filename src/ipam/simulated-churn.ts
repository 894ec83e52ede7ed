/**
 * What befalls a simulated cluster in tests: random wishes, splits and meetings; and what must hold then and when it is quiet again.
 * For tests. Pure: all chance comes from the cluster's `random`.
 */
import assert from "node:assert/strict";
import type { Ipv4 } from "../values/ipv4.ts";
import { type AddressPlan, RING_NAMES } from "./address-plan.ts";
import { segments } from "./ring.ts";
import { rowsToRing } from "./ring-codec.ts";
import type { SimulatedCluster } from "./simulated-cluster.ts";

const FORTY = [...Array(40).keys()];

/**
 * The seeds of one run, from the clock: as many as usual, and their names for the test's title. In the environment, IPAM_SEED repeats one
 * and IPAM_SEEDS tries more.
 */
export function forSeeds(
  usual: number,
  env: Readonly<Record<string, string | undefined>>,
  nowMs: number,
): { readonly title: string; readonly seeds: number[] } {
  const first = Number(env["IPAM_SEED"] ?? Math.floor(nowMs % 1e6));
  const count = Number(env["IPAM_SEEDS"] ?? usual);
  const title = `seeds ${first} to ${first + count - 1}`;
  return { title, seeds: [...Array(count).keys()].map((index) => first + index) };
}

/** Calls `body` and puts the seed before what it throws. */
export function withSeed<T>(seed: number, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw new Error(`seed ${seed}`, { cause: error });
  }
}

/** The addresses that more than one host leases. */
export function doubles(cluster: SimulatedCluster): Set<Ipv4> {
  const seen = new Set<Ipv4>();
  const twice = new Set<Ipv4>();
  for (const { book } of cluster.hosts.values()) {
    for (const address of book.leases.keys()) {
      if (seen.has(address)) twice.add(address);
      seen.add(address);
    }
  }
  return twice;
}

/** No address in the space of two hosts that may give it. */
export function checkSpaces(cluster: SimulatedCluster): void {
  const given: { start: number; end: number; key: number }[] = [];
  for (const { book, key } of cluster.hosts.values()) {
    if (!book.space?.ready) continue;
    for (const range of book.space.ranges) given.push({ ...range, key });
  }
  given.sort((a, b) => a.start - b.start);
  for (const [index, b] of given.entries()) {
    const a = given[index - 1];
    if (a && a.end > b.start) assert.fail(`hosts ${a.key} and ${b.key} both have ${b.start}`);
  }
}

/** The promise: the above, and nothing leased outside of the own space. */
export function checkPromise(cluster: SimulatedCluster): void {
  checkSpaces(cluster);
  for (const { book, key } of cluster.hosts.values()) {
    assert.deepEqual(book.kept(), [], `host ${key} holds leases outside its space`);
  }
}

export function pushPullAll(cluster: SimulatedCluster): void {
  const keys = [...cluster.hosts.keys()];
  for (const a of keys) for (const b of keys) if (a < b) cluster.pushPull(a, b);
}

/** Nothing fails any more, everybody meets everybody. */
export function quiesce(
  cluster: SimulatedCluster,
  check: (cluster: SimulatedCluster) => void,
  rounds = 8,
): void {
  cluster.loss = 0;
  cluster.crash = 0;
  cluster.heal();
  for (const key of cluster.hosts.keys()) cluster.settle(key);
  for (let i = 0; i < rounds; i++) {
    pushPullAll(cluster);
    cluster.shareStrays();
    cluster.run(1000, () => check(cluster));
  }
  // Nodes that have little go on asking each other now and then: a grant may be under way.
  for (let i = 0; i < 30 && !isAlike(cluster); i++) cluster.run(100, () => check(cluster));
}

function isAlike(cluster: SimulatedCluster): boolean {
  const rings = [...cluster.hosts.values()].map(({ addresses }) => {
    const { dynamic, fixed } = addresses.persisted();
    return JSON.stringify([dynamic, fixed]);
  });
  return new Set(rings).size === 1;
}

/** All nodes have one ring; what the plugins may give is what their nodes own. `gaps`: nobody may own some of it. */
export function checkWhole(cluster: SimulatedCluster, plan: AddressPlan, gaps = false): void {
  const ringsOf = (key: number) => {
    const { dynamic, fixed } = cluster.host(key).addresses.persisted();
    return { dynamic, fixed };
  };
  const [first = 0, ...others] = cluster.hosts.keys();
  for (const key of others) assert.deepEqual(ringsOf(key), ringsOf(first));
  for (const name of RING_NAMES) {
    const list = segments(rowsToRing(plan[name], ringsOf(first)[name]));
    const total = list.reduce((sum, s) => sum + s.end - s.start, 0);
    if (!gaps) assert.equal(total, plan[name].end - plan[name].start, `${name} ring is whole`);
  }
  for (const { key, addresses, book } of cluster.hosts.values()) {
    const count = (ranges: readonly { start: number; end: number }[]) =>
      ranges.reduce((sum, r) => sum + r.end - r.start, 0);
    const space = count(book.space?.ranges ?? []);
    assert.equal(space, count(addresses.owned()), `space of host ${key}`);
  }
}

export interface Churn {
  readonly plan: AddressPlan;
  readonly rounds: number;
  readonly check: (cluster: SimulatedCluster) => void;
  /** Whether the cluster splits and heals at random; true unless given. */
  readonly splits?: boolean;
}

/** Containers come and go everywhere, while nodes settle, meet, and are parted. */
export function churn(cluster: SimulatedCluster, { plan, rounds, check, splits }: Churn): void {
  const keys = [...cluster.hosts.keys()];
  for (let round = 0; round < rounds; round++) {
    if (splits !== false && cluster.chance(0.2)) {
      const left = keys.filter(() => cluster.chance(0.5));
      cluster.part([left, keys.filter((key) => !left.includes(key))]);
    }
    if (splits !== false && cluster.chance(0.2)) cluster.heal();
    const key = cluster.pick(keys);
    if (cluster.chance(0.3)) cluster.settle(key);
    if (cluster.chance(0.5)) cluster.pushPull(key, cluster.pick(keys));
    if (cluster.chance(0.3)) cluster.shareStrays();
    const wishes = cluster.chance(0.2) ? 150 : 5;
    for (let i = 0; i < wishes; i++) cluster.request(key, "any");
    // Many claims of few addresses at once: grants cross while cessions are under way.
    for (let i = 0; i < 4; i++) {
      const { start, end } = cluster.chance(0.5) ? plan.fixed : plan.dynamic;
      const step = Math.floor((end - start - 1) / 40);
      cluster.request(cluster.pick(keys), start + step * cluster.pick(FORTY));
    }
    for (const address of [...cluster.host(key).book.leases.keys()]) {
      if (cluster.chance(0.3)) cluster.release(key, address);
    }
    cluster.run(cluster.chance(0.1) ? 1500 : 50, () => check(cluster));
  }
}
