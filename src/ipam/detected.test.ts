/**
 * The four cases in which an address may be given out twice, and a take-over in a split, each made on purpose: that they are noticed and the containers named,
 * that the rings converge, and that from then on nothing is given out twice any more, whatever fails.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ipv4 } from "../values/ipv4.ts";
import { addressPlan } from "./address-plan.ts";
import {
  checkPromise,
  checkSpaces,
  checkWhole,
  churn,
  doubles,
  forSeeds,
  quiesce,
  seeded,
  withSeed,
} from "./simulated-churn.ts";
import { SimulatedCluster } from "./simulated-cluster.ts";
import { twinOf } from "./simulated-host.ts";

const plan = addressPlan("192.168.16.0/20");
const IDS = [1, 2, 3, 4, 5, 77];
const LOSSY = { loss: 0.1, crash: 0.001 };

/** Whatever befalls: this happens in the two regimes between which the case lies. */
const anything = (): void => {};

interface Case {
  readonly name: string;
  /** Does the harm to a cluster that lived for a while; apart from the rest are then the returned hosts. */
  readonly harm: (cluster: SimulatedCluster) => readonly number[];
  /** True when a lost disk may leave parts of the ring with nobody. */
  readonly gaps?: boolean;
}

const CASES: readonly Case[] = [
  {
    name: "a living node is taken over",
    harm: (cluster) => {
      const victim = cluster.pick([2, 5]);
      const apart = [victim, cluster.pick([4, 77])];
      cluster.part([apart, IDS.filter((id) => !apart.includes(id))]);
      cluster.feed(cluster.host(1), { type: "take-over", from: victim });
      return apart;
    },
  },
  {
    name: "a vanished node is taken over in a split that hides whom it gave space last",
    harm: (cluster) => {
      const apart = [2, 77];
      const rest = IDS.filter((id) => !apart.includes(id));
      cluster.part([apart, rest]);
      churn(cluster, { plan, rounds: 15, check: checkPromise, splits: false });
      cluster.destroy(2);
      cluster.part([[77], rest]);
      cluster.feed(cluster.host(1), { type: "take-over", from: 2 });
      return [77];
    },
  },
  {
    name: "a node whose disk was lost is born again in isolation",
    harm: (cluster) => {
      cluster.destroy(2);
      const twin = twinOf(2);
      cluster.add(twin);
      cluster.part([[twin], IDS.filter((id) => id !== 2)]);
      cluster.settle(twin);
      return [twin];
    },
    gaps: true,
  },
  {
    name: "a node starts from an old image of its disk",
    harm: (cluster) => {
      const key = cluster.pick([2, 5]);
      const image = cluster.image(key);
      churn(cluster, { plan, rounds: 20, check: checkPromise });
      const apart = cluster.chance(0.5) ? [key] : [key, 3];
      cluster.part([apart, IDS.filter((id) => !apart.includes(id))]);
      cluster.restore(key, image);
      return apart;
    },
    gaps: true,
  },
  {
    name: "a second node has the id of a living one",
    harm: (cluster) => {
      const twin = twinOf(cluster.pick([2, 5]));
      cluster.add(twin);
      const apart = cluster.chance(0.3) ? [twin] : [twin, 4];
      cluster.part([apart, IDS.filter((id) => !apart.includes(id))]);
      cluster.settle(twin);
      return apart;
    },
  },
];

/** Every address that two containers hold is shown on every node, with both containers. */
function checkNamed(cluster: SimulatedCluster, twice: ReadonlySet<Ipv4>): void {
  for (const host of cluster.hosts.values()) {
    for (const address of twice) {
      const named = host.board.list().filter((stray) => stray.address === address).length;
      const own = host.book.leases.has(address) ? 1 : 0;
      assert.ok(named + own >= 2, `host ${host.key} names both holders of ${address}`);
    }
  }
}

/** Nothing is given twice but what was when the check was made; what ends meanwhile must not begin again. */
function noneBeside(twice: Set<Ipv4>): (cluster: SimulatedCluster) => void {
  return (cluster) => {
    checkSpaces(cluster);
    const now = doubles(cluster);
    for (const address of now) assert.ok(twice.has(address), `${address} was given twice again`);
    for (const address of twice) if (!now.has(address)) twice.delete(address);
  };
}

/** Whether two hosts may give, or hold, one address. */
function overlaps(cluster: SimulatedCluster): boolean {
  try {
    checkSpaces(cluster);
    return doubles(cluster).size > 0;
  } catch (error) {
    if (error instanceof assert.AssertionError) return true;
    throw error;
  }
}

const { title, seeds } = forSeeds(4, process.env, Date.now());

for (const { name, harm, gaps } of CASES) {
  test(`${name}: it is noticed, and nothing more is given twice (${title})`, () => {
    let happened = 0;
    for (const seed of seeds) {
      withSeed(seed, () => {
        const cluster = new SimulatedCluster({ plan, ids: IDS, random: seeded(seed), ...LOSSY });
        cluster.heal();
        churn(cluster, { plan, rounds: 25, check: checkPromise });
        harm(cluster);
        churn(cluster, { plan, rounds: 25, check: anything, splits: false });
        const harmed = overlaps(cluster);
        quiesce(cluster, anything);
        const noticed =
          cluster.conflicts.length > 0 || [...cluster.hosts.values()].some((h) => h.fenced);
        if (harmed) assert.ok(noticed, "noticed");
        if (harmed) happened++;
        const twice = doubles(cluster);
        checkNamed(cluster, twice);
        checkSpaces(cluster);
        checkWhole(cluster, plan, gaps);
        cluster.loss = LOSSY.loss;
        cluster.crash = LOSSY.crash;
        const check = noneBeside(twice);
        churn(cluster, { plan, rounds: 25, check });
        quiesce(cluster, check);
        checkWhole(cluster, plan, gaps);
      });
    }
    if (seeds.length > 3) assert.ok(happened > 0, "no two nodes ever had one address");
  });
}
