import assert from "node:assert/strict";
import { test } from "node:test";
import { isHansaError } from "../errors.ts";
import type { CopyInReach } from "../store/recovery-plan.ts";
import type { NamedStore } from "../store/store-copy.ts";
import { memberName, memberOf, rosterWith } from "./status-facts.ts";
import { StoreRecovery } from "./store-recovery.ts";

const STORE: NamedStore = { id: "3f1c0d2b9a8e7f65", name: "prod", generation: 1 };

/** Node 1 of so many votes, with node 2, whose etcd is broken or not; its own etcd answers after so many looks. */
function recoveryOf(votes: number, isBroken: boolean, silentLooks = 0) {
  const mirror: CopyInReach = {
    ...{ node: { id: 1, name: "host1" }, source: "mirror", store: STORE, revision: 7n },
    voters: Array.from({ length: votes }, (_, index) => memberName({ id: index + 1 })),
    ...{ takenAtMs: 0, entries: 0, hasGrown: true },
  };
  const made: NamedStore[] = [];
  let roster = rosterWith(memberOf({ id: 2, store: STORE }));
  let silent = silentLooks;
  const recovery = new StoreRecovery({
    ...{ self: { id: 1, name: "host1" }, stateDir: "/nonexistent", patienceMs: 60_000 },
    desk: {
      own: async () => {
        const isSilent = silent-- > 0;
        const own: CopyInReach[] = isSilent ? [] : [{ ...mirror, source: "voter", revision: 9n }];
        return { copies: [mirror, ...own], isBroken: isSilent, isQuorate: false };
      },
      of: async () => ({ copies: [], isBroken, isQuorate: false }),
      fetch: async () => ({ store: STORE, revision: 7n, takenAtMs: 0, entries: [] }),
    },
    loop: {
      refound: async (store, _copy, refuse) => {
        refuse();
        made.push(store);
        // As gossip tells it from then on.
        roster = rosterWith(memberOf({ id: 2, store }));
      },
    },
    membership: { roster: () => roster },
  });
  return { recovery, made };
}

test("a vote that is heard and whose etcd does not answer counts as heard, and is told of", async () => {
  const { recovery } = recoveryOf(3, true);
  await assert.rejects(recovery.expect(1), (error) => isHansaError(error, "STORE_QUORATE"));
  const { silent, refused } = await recovery.inReach(1);
  assert.deepEqual(silent, ["host2 (node 2): its etcd cannot be read"]);
  assert.equal(refused?.code, "STORE_QUORATE");
});

test("this node's own etcd is waited for before an older mirror is taken", async () => {
  const { recovery } = recoveryOf(3, false, 2);
  const { copies } = await recovery.inReach(1);
  assert.deepEqual(
    copies.filter(({ isChosen }) => isChosen).map(({ revision }) => revision),
    ["9"],
  );
});

test("of two who make the store anew at one time the later one is refused", async () => {
  const { recovery, made } = recoveryOf(3, false);
  const both = await Promise.allSettled([recovery.expect(1), recovery.expect(1)]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ["fulfilled", "rejected"],
  );
  assert.ok(both[1]?.status === "rejected" && isHansaError(both[1].reason, "STORE_REFUSED"));
  assert.equal(made.length, 1);
});
