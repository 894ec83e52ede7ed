/**
 * The four cases in which an address may be given out twice, and a take-over in a split, each made on purpose: that they are noticed and the containers named,
 * that the rings converge, and that from then on nothing is given out twice any more, whatever fails.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ipv4 } from "../values/ipv4.ts";
import { seeded } from "../values/seeded-random.ts";
import { addressPlan, RING_NAMES } from "./address-plan.ts";
import { rangeSet } from "./range-set.ts";
import { birthRing } from "./ring.ts";
import {
  checkPromise,
  checkSpaces,
  checkWhole,
  churn,
  doubles,
  forSeeds,
  quiesce,
  withSeed,
} from "./simulated-churn.ts";
import { SimulatedCluster } from "./simulated-cluster.ts";
import { holdTwice, passOn, takeOver, tellAll, withSpace } from "./simulated-doubles.ts";
import { twinOf } from "./simulated-host.ts";

const plan = addressPlan("192.168.16.0/20");
const IDS = [1, 2, 3, 4, 5, 77];
const LOSSY = { loss: 0.1, crash: 0.001 };

/** Whatever befalls: this happens in the two regimes between which the case lies. */
const anything = (): void => {};

interface Case {
  readonly name: string;
  /**
   * Does the harm to a cluster that lived for a while, and leaves it split so that both sides take some addresses for theirs; the returned
   * hosts are one side.
   */
  readonly harm: (cluster: SimulatedCluster) => readonly number[];
  /** True when a lost disk may leave parts of the ring with nobody. */
  readonly gaps?: boolean;
}

function others(apart: readonly number[]): number[] {
  return IDS.filter((id) => !apart.includes(id));
}

const CASES: readonly Case[] = [
  {
    name: "a living node is taken over",
    harm: (cluster) => {
      const victim = cluster.pick([2, 5]);
      withSpace(cluster, victim);
      const apart = [victim, cluster.pick([4, 77])];
      cluster.part([apart, others(apart)]);
      takeOver(cluster, 1, victim);
      return apart;
    },
  },
  {
    name: "a vanished node is taken over in a split that hides whom it gave space last",
    harm: (cluster) => {
      const had = withSpace(cluster, 2);
      const rest = others([2, 77]);
      cluster.part([[2, 77], rest]);
      churn(cluster, { plan, rounds: 15, check: checkPromise, splits: false });
      passOn(cluster, 2, 77, had);
      // What node 2 told nobody would be lost with its disk, and then belong to nobody.
      tellAll(cluster);
      cluster.destroy(2);
      cluster.part([[77], rest]);
      takeOver(cluster, 1, 2);
      return [77];
    },
  },
  {
    name: "a node whose disk was lost is born again in isolation",
    harm: (cluster) => {
      const born = RING_NAMES.flatMap((name) => birthRing(plan[name]).records);
      const had = rangeSet(born.filter(({ owner }) => owner === 2));
      withSpace(cluster, 2);
      passOn(cluster, 2, cluster.pick([5, 77]), had);
      cluster.destroy(2);
      const twin = twinOf(2);
      cluster.add(twin);
      cluster.part([[twin], others([2])]);
      cluster.settle(twin);
      return [twin];
    },
    gaps: true,
  },
  {
    name: "a node starts from an old image of its disk",
    harm: (cluster) => {
      const key = cluster.pick([2, 5]);
      const had = withSpace(cluster, key);
      const image = cluster.image(key);
      // Who is with it then knows no better: it was away meanwhile.
      const away = cluster.chance(0.5) ? [] : [3];
      cluster.part([away, others(away)]);
      churn(cluster, { plan, rounds: 20, check: checkPromise, splits: away.length === 0 });
      cluster.part([away, others(away)]);
      passOn(cluster, key, cluster.pick([1, 4, 77]), had);
      const apart = [key, ...away];
      cluster.part([apart, others(apart)]);
      cluster.restore(key, image);
      return apart;
    },
    gaps: true,
  },
  {
    name: "a second node has the id of a living one",
    harm: (cluster) => {
      const id = cluster.pick([2, 5]);
      withSpace(cluster, id);
      const twin = twinOf(id);
      cluster.add(twin);
      // Born or told: alone, the twin of a node that is not born with space has none.
      const apart = id === 2 && cluster.chance(0.5) ? [twin] : [twin, 4];
      cluster.part([apart, others(apart)]);
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

/** Somebody said that another has what is its own, or knows that its id is a twin's. */
function checkNoticed(cluster: SimulatedCluster): void {
  const fenced = [...cluster.hosts.values()].some((host) => host.fenced);
  assert.ok(cluster.conflicts.length > 0 || fenced, "noticed");
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

const { title, seeds } = forSeeds(3, process.env, Date.now());

for (const { name, harm, gaps } of CASES) {
  test(`${name}: it is noticed, and nothing more is given twice (${title})`, () => {
    for (const seed of seeds) {
      withSeed(seed, () => {
        const cluster = new SimulatedCluster({ plan, ids: IDS, random: seeded(seed), ...LOSSY });
        cluster.heal();
        churn(cluster, { plan, rounds: 25, check: checkPromise });
        const apart = harm(cluster);
        churn(cluster, { plan, rounds: 25, check: anything, splits: false });
        holdTwice(cluster, apart);
        quiesce(cluster, anything);
        checkNoticed(cluster);
        const twice = doubles(cluster);
        assert.ok(twice.size > 0, "what is held twice is not forgotten");
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
  });
}

test(`a node that starts from an old image of its disk beside one that knows better is told at once, and gives nothing twice (${title})`, () => {
  for (const seed of seeds) {
    withSeed(seed, () => {
      const cluster = new SimulatedCluster({ plan, ids: IDS, random: seeded(seed), ...LOSSY });
      cluster.heal();
      churn(cluster, { plan, rounds: 25, check: checkPromise });
      const key = cluster.pick([2, 5]);
      const had = withSpace(cluster, key);
      const image = cluster.image(key);
      churn(cluster, { plan, rounds: 20, check: checkPromise });
      cluster.heal();
      passOn(cluster, key, cluster.pick([1, 4, 77]), had);
      quiesce(cluster, checkPromise);
      cluster.part([[key, 3], others([key, 3])]);
      cluster.restore(key, image);
      cluster.pushPull(key, 3);
      cluster.run(1000);
      checkNoticed(cluster);
      checkSpaces(cluster);
      cluster.loss = LOSSY.loss;
      cluster.crash = LOSSY.crash;
      churn(cluster, { plan, rounds: 25, check: checkSpaces });
      quiesce(cluster, checkSpaces);
      assert.deepEqual([...doubles(cluster)], []);
      checkWhole(cluster, plan, true);
    });
  }
});
