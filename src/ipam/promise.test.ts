/**
 * The promise, under loss, repetition, reordering, partial news, partitions and crashes at every step: no address is
 * ever in the space of two nodes, and when all is quiet again every node has the same whole ring.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { addressPlan } from "./address-plan.ts";
import { segments } from "./ring.ts";
import { rowsToRing } from "./ring-codec.ts";
import { SimulatedCluster } from "./simulated-cluster.ts";

const plan = addressPlan("192.168.16.0/20");

/** mulberry32: small, good enough, and the same everywhere. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** No address in the space, or leased on, two hosts; nor owned by two in their own rings. */
function checkPromise(cluster: SimulatedCluster): void {
  const given: { start: number; end: number; id: number }[] = [];
  for (const host of cluster.hosts.values()) {
    for (const range of host.book.space?.ranges ?? []) given.push({ ...range, id: host.id });
    assert.deepEqual(host.book.kept(), [], `host ${host.id} holds leases outside its space`);
  }
  given.sort((a, b) => a.start - b.start);
  for (let i = 1; i < given.length; i++) {
    const [a, b] = [given[i - 1], given[i]];
    if (a && b && a.end > b.start) {
      assert.fail(`hosts ${a.id} and ${b.id} both have ${b.start}`);
    }
  }
}

function pushPullAll(cluster: SimulatedCluster): void {
  const ids = [...cluster.hosts.keys()];
  for (const a of ids) for (const b of ids) if (a < b) cluster.pushPull(a, b);
}

function quiesce(cluster: SimulatedCluster): void {
  cluster.loss = 0;
  cluster.crash = 0;
  cluster.heal();
  for (const id of cluster.hosts.keys()) cluster.settle(id);
  for (let i = 0; i < 8; i++) {
    pushPullAll(cluster);
    cluster.run(1000, () => checkPromise(cluster));
  }
}

/** All nodes have one ring without gaps; what the plugins may give is what their nodes own. */
function checkWhole(cluster: SimulatedCluster): void {
  const ringsOf = (id: number) => {
    const { dynamic, fixed } = cluster.host(id).addresses.persisted();
    return { dynamic, fixed };
  };
  const [first = 0, ...others] = cluster.hosts.keys();
  for (const id of others) assert.deepEqual(ringsOf(id), ringsOf(first));
  for (const name of ["dynamic", "fixed"] as const) {
    const list = segments(rowsToRing(plan[name], ringsOf(first)[name]));
    const total = list.reduce((sum, s) => sum + s.end - s.start, 0);
    assert.equal(total, plan[name].end - plan[name].start, `${name} ring is whole`);
  }
  for (const { id, addresses, book } of cluster.hosts.values()) {
    const { segments: all } = addresses.view();
    const owned = [...all.fixed, ...all.dynamic].filter((s) => s.owner === id);
    const count = (ranges: readonly { start: number; end: number }[]) =>
      ranges.reduce((sum, r) => sum + r.end - r.start, 0);
    assert.equal(count(book.space?.ranges ?? []), count(owned), `space of host ${id}`);
  }
}

function churn(cluster: SimulatedCluster, rounds: number): void {
  const ids = [...cluster.hosts.keys()];
  const check = () => checkPromise(cluster);
  for (let round = 0; round < rounds; round++) {
    if (cluster.chance(0.2)) {
      const left = ids.filter(() => cluster.chance(0.5));
      cluster.part([left, ids.filter((id) => !left.includes(id))]);
    }
    if (cluster.chance(0.2)) cluster.heal();
    const id = cluster.pick(ids);
    if (cluster.chance(0.3)) cluster.settle(id);
    if (cluster.chance(0.5)) cluster.pushPull(id, cluster.pick(ids));
    const wishes = cluster.chance(0.2) ? 150 : 5;
    for (let i = 0; i < wishes; i++) cluster.request(id, "any");
    // Many claims of few addresses at once: grants cross while cessions are under way.
    for (let i = 0; i < 4; i++) {
      const { start, end } = cluster.chance(0.5) ? plan.fixed : plan.dynamic;
      const step = Math.floor((end - start - 1) / 40);
      cluster.request(cluster.pick(ids), start + step * cluster.pick(FORTY));
    }
    for (const address of [...cluster.host(id).book.leases.keys()]) {
      if (cluster.chance(0.3)) cluster.release(id, address);
    }
    cluster.run(cluster.chance(0.1) ? 1500 : 50, check);
  }
}

/** One node hands over, another vanishes for good and is taken over: all of it stays in use. */
function leave(cluster: SimulatedCluster): void {
  const leaving = cluster.host(2);
  for (const address of [...leaving.book.leases.keys()]) cluster.release(2, address);
  cluster.feed(leaving, { type: "hand-over", heir: 3 });
  cluster.run(500, () => checkPromise(cluster));
  cluster.destroy(2);
  cluster.destroy(4);
  cluster.feed(cluster.host(1), { type: "take-over", from: 4 });
  quiesce(cluster);
  checkWhole(cluster);
  for (const { addresses } of cluster.hosts.values()) {
    const gone = addresses.view().entries.filter((e) => e.id === 2 || e.id === 4);
    assert.deepEqual(gone, []);
  }
}

const FORTY = [...Array(40).keys()];

const first = Number(process.env["IPAM_SEED"] ?? Math.floor(Date.now() % 1e6));
const SEEDS = Number(process.env["IPAM_SEEDS"] ?? 8);

test(`no address is ever in the space of two nodes (seeds ${first} to ${first + SEEDS - 1})`, () => {
  let granted = 0;
  for (let seed = first; seed < first + SEEDS; seed++) {
    try {
      const options = { plan, ids: [1, 2, 3, 4, 5, 6, 77], random: seeded(seed) };
      const cluster = new SimulatedCluster({ ...options, loss: 0.15, crash: 0.002 });
      cluster.heal();
      churn(cluster, 40);
      quiesce(cluster);
      checkWhole(cluster);
      leave(cluster);
      assert.deepEqual(cluster.conflicts, []);
      for (const { addresses } of cluster.hosts.values()) {
        granted += addresses.view().entries.filter((e) => e.id > 4 && e.addresses > 0).length;
      }
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  assert.ok(granted > 0, "nothing was ever granted");
});
