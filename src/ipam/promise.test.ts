/**
 * The promise, under loss, repetition, reordering, partial news, partitions and crashes at every step, while nodes hand over and
 * are taken over: no address is ever in the space of two nodes, and when all is quiet again every node has the same whole ring.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { seeded } from "../values/seeded-random.ts";
import { addressPlan } from "./address-plan.ts";
import { checkPromise, checkWhole, churn, forSeeds, quiesce, withSeed } from "./simulated-churn.ts";
import { SimulatedCluster } from "./simulated-cluster.ts";

const plan = addressPlan("192.168.16.0/20");
const LOSSY = { loss: 0.15, crash: 0.002 };

/** One node hands over, another vanishes for good and is taken over: all of it stays in use. */
function leave(cluster: SimulatedCluster, leaving: number, heir: number, vanished: number): void {
  const check = () => checkPromise(cluster);
  const host = cluster.host(leaving);
  // Who leaves before it used its birth leaves as if it had never been there.
  cluster.settle(leaving);
  for (const address of [...host.book.leases.keys()]) cluster.release(leaving, address);
  cluster.feed(host, { type: "hand-over", heir });
  // Its cession may be lost with a crash; the command waits until nothing is left and asks again.
  for (let i = 0; i < 40 && host.addresses.owned().length > 0; i++) {
    if (i % 5 === 4) cluster.feed(host, { type: "hand-over", heir });
    cluster.run(200, check);
  }
  assert.deepEqual(host.addresses.owned(), [], `host ${leaving} handed all over`);
  // Nobody hears the vanished one any more, and what it gave away last is known to the one who takes it over.
  quiesce(cluster, checkPromise);
  // A daemon that crashed in between has forgotten that it leaves.
  cluster.feed(host, { type: "hand-over", heir });
  quiesce(cluster, checkPromise);
  cluster.destroy(leaving);
  cluster.destroy(vanished);
  cluster.feed(cluster.host(heir), { type: "take-over", from: vanished });
  cluster.loss = LOSSY.loss;
  cluster.crash = LOSSY.crash;
}

const { title, seeds } = forSeeds(8, process.env, Date.now());

test(`no address is ever in the space of two nodes (${title})`, () => {
  let granted = 0;
  for (const seed of seeds) {
    withSeed(seed, () => {
      const ids = [1, 2, 3, 4, 5, 6, 77];
      const cluster = new SimulatedCluster({ plan, ids, random: seeded(seed), ...LOSSY });
      cluster.heal();
      churn(cluster, { plan, rounds: 30, check: checkPromise });
      leave(cluster, cluster.pick([2, 5]), 3, cluster.pick([4, 6]));
      churn(cluster, { plan, rounds: 15, check: checkPromise });
      leave(cluster, 3, 1, 77);
      churn(cluster, { plan, rounds: 15, check: checkPromise });
      quiesce(cluster, checkPromise);
      checkWhole(cluster, plan);
      assert.deepEqual(cluster.conflicts, []);
      const ours = [...cluster.hosts.keys()];
      for (const { addresses } of cluster.hosts.values()) {
        const { entries } = addresses.view();
        assert.deepEqual(
          entries.filter(({ id }) => !ours.includes(id)),
          [],
          "nothing is left with who is gone",
        );
        granted += entries.filter((e) => e.id > 4 && e.addresses > 0).length;
      }
    });
  }
  assert.ok(granted > 0, "nothing was ever granted");
});
