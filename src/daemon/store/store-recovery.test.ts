import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isHansaError } from "../../errors.ts";
import type { CopyInReach } from "../../store/recovery-plan.ts";
import { encodeStoreCopy, type NamedStore } from "../../store/store-copy.ts";
import type { StoreMark } from "../../store/store-mark.ts";
import { memberName, memberOf, rosterWith } from "../status/status-facts.ts";
import { StoreRecovery } from "./store-recovery.ts";

const STORE: NamedStore = { id: "3f1c0d2b9a8e7f65", name: "prod", generation: 1 };

interface Different {
  /** What others say they hold to when they promise the turn. */
  readonly told?: readonly StoreMark[];
  readonly stateDir?: string;
}

/** Node 1 of so many votes, with node 2, whose etcd is broken or not; its own etcd answers after so many looks. */
function recoveryOf(
  votes: number,
  isBroken: boolean,
  silentLooks = 0,
  { told = [], stateDir = "/nonexistent" }: Different = {},
) {
  const mirror: CopyInReach = {
    ...{ node: { id: 1, name: "host1" }, source: "mirror", store: STORE, revision: 7n },
    voters: Array.from({ length: votes }, (_, index) => memberName({ id: index + 1 })),
    ...{ takenAtMs: 0, entries: 0, hasGrown: true },
  };
  const made: NamedStore[] = [];
  let roster = rosterWith(memberOf({ id: 2, store: STORE }));
  let silent = silentLooks;
  const recovery = new StoreRecovery({
    ...{ self: { id: 1, name: "host1" }, stateDir, patienceMs: 60_000 },
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
    witness: { link: undefined },
    turns: { hold: (work) => work(told) },
    nameOf: () => undefined,
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

/** Node 1 of so many votes, of which only node 2 is heard beside it, with a file of `store` to restore. */
function restoringOf(votes: number, store: NamedStore, context: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "hansa-restore-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "restore.hansa");
  writeFileSync(path, encodeStoreCopy({ store, revision: 5n, takenAtMs: 0, entries: [] }));
  return { ...recoveryOf(votes, true, 0, { stateDir: folder }), path };
}

test("no file takes the store's place while votes are missing that may go on with it, but by force", async (context) => {
  const { recovery, made, path } = restoringOf(3, STORE, context);
  await assert.rejects(
    recovery.restore(false),
    (error) => isHansaError(error, "STORE_REFUSED") && /node 3/.test(error.message),
  );
  assert.deepEqual([made, existsSync(path)], [[], true], "and the file stays");
  await recovery.restore(true);
  assert.deepEqual([made[0]?.generation, existsSync(path)], [2, false]);
});

test("a file is restored without force where no vote is missing, but none of another cluster's", async (context) => {
  const whole = restoringOf(2, STORE, context);
  await whole.recovery.restore(false);
  assert.equal(whole.made[0]?.generation, 2);
  const foreign = restoringOf(2, { ...STORE, id: "0123456789abcdef" }, context);
  await assert.rejects(foreign.recovery.restore(false), (error) =>
    isHansaError(error, "STORE_OTHER"),
  );
  assert.deepEqual(foreign.made, []);
});

test("what is no backup is refused with a word of what is one", async (context) => {
  const { recovery, made, path } = restoringOf(2, STORE, context);
  writeFileSync(path, "127.0.0.1 localhost\n");
  await assert.rejects(
    recovery.restore(true),
    (error) => isHansaError(error, "STATE_DAMAGED") && /hansa backup/.test(`${error.hint}`),
  );
  assert.deepEqual(made, []);
});

test("what another node made just now refuses it before gossip tells of it", async () => {
  const { recovery, made } = recoveryOf(3, false, 0, {
    told: [STORE, { id: `${STORE.id}aaaaaaaa`, generation: 2 }],
  });
  await assert.rejects(recovery.expect(1), (error) => isHansaError(error, "STORE_REFUSED"));
  assert.deepEqual(made, []);
  const same = recoveryOf(3, false, 0, { told: [STORE] });
  await same.recovery.expect(1);
  assert.equal(same.made.length, 1);
});

test("what a restore left that was killed is gone after the next start", async (context) => {
  const { recovery, path } = restoringOf(2, STORE, context);
  await recovery.begin();
  assert.equal(existsSync(path), false);
  await recovery.begin();
});
