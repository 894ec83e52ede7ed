import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { HansaError, isHansaError } from "../../errors.ts";
import { ManualClock } from "../../host/clock.ts";
import { silentLogger } from "../../host/logger.ts";
import type { NamedStore, StoreCopy } from "../../store/store-copy.ts";
import type { VoterRecord } from "../../store/voter-record.ts";
import { memberOf, rosterWith } from "../status/status-facts.ts";
import { VoteRefusals } from "../votes/vote-refusals.ts";
import type { VoterLead } from "../votes/voter-lead.ts";
import type { Refounding, VoterPlace } from "../votes/voter-place.ts";
import { StoreLoop, type StoreLoopOptions } from "./store-loop.ts";
import type { StoreRetreat } from "./store-retreat.ts";

const OWN = { id: "a1", name: "prod", generation: 1 };

/** A node that has this record, among nodes 2 and 3 with these stores. */
function loopOf(
  record: VoterRecord | undefined,
  stores: readonly (string | undefined)[],
  seen?: NamedStore,
  generation = 1,
) {
  const began: VoterRecord[] = [];
  const clock = new ManualClock();
  const place = {
    record,
    begin: async (next: VoterRecord) => void began.push(next),
    keep: async () => undefined,
    link: async () => undefined,
  };
  const damage: StoreLoopOptions["damage"] = {
    clear: () => undefined,
    fullDisk: async () => undefined,
    lately: undefined,
    look: async () => undefined,
  };
  const others = stores.map((id, index) =>
    memberOf({ id: index + 2, ...(id !== undefined && { store: { id, generation } }) }),
  );
  let roster = rosterWith(...others);
  const options: StoreLoopOptions = {
    self: { id: 1, name: "host1" },
    place: place as unknown as VoterPlace,
    lead: { refusals: new VoteRefusals(clock) } as VoterLead,
    upkeep: { look: async () => undefined },
    timing: { look: async () => undefined },
    word: { ask: async () => undefined, slowness: undefined },
    membership: { roster: () => roster, remembered: [], setStore: () => undefined },
    damage,
    retreat: {} as StoreRetreat,
    rivals: { heir: undefined, heirOfAnother: async () => undefined },
    lastSeen: () => seen,
    clock,
    changed: () => undefined,
    logger: silentLogger,
  };
  const loop = new StoreLoop(options);
  const come = (id: number): void => {
    roster = rosterWith(...others, memberOf({ id }));
    loop.changed();
  };
  return { loop, options, began, clock, place, damage, come };
}

test("a second store is refused, whoever has a vote in the first", async () => {
  const own = loopOf({ version: 1, store: OWN }, []);
  const others = loopOf(undefined, [undefined, "a1"]);
  await assert.rejects(own.loop.create("other"), (error) => isHansaError(error, "STORE_EXISTS"));
  await assert.rejects(others.loop.create("other"), (error) => {
    assert.ok(isHansaError(error, "STORE_EXISTS"));
    assert.equal(error.message, "node 3 (host3) has a vote in a store already");
    return true;
  });
});

test("a vote in another store is not taken; in the same one as a new member it is, as the old one only kept", async () => {
  const { loop, began } = loopOf({ version: 1, store: OWN, member: "7" }, []);
  const request = { store: OWN, member: "7", members: [] };
  const other = { ...request, store: { ...OWN, id: "b2" } };
  await assert.rejects(loop.start(other), (error) => isHansaError(error, "STORE_OTHER"));
  await loop.start(request);
  assert.deepEqual(began, []);
  await loop.start({ ...request, member: "8" });
  assert.deepEqual(began, [{ version: 1, store: OWN, member: "8" }]);
});

test("two stores among the nodes are warned of, by who has a vote and by who has none", () => {
  assert.equal(loopOf({ version: 1, store: OWN }, ["a1", undefined]).loop.problem, undefined);
  assert.equal(
    loopOf({ version: 1, store: OWN }, ["a1", "b2"]).loop.problem,
    "STORE_OTHER: node 3 (host3) has a vote in another store (b2) than this node (a1)",
  );
  assert.equal(
    loopOf(undefined, ["a1", "b2"]).loop.problem,
    "STORE_OTHER: node 3 (host3) has a vote in another store (b2) than others (a1)",
  );
});

test("nothing is warned of while a node is about to begin anew in the store's next generation", () => {
  const store = { id: "3f1c0d2b9a8e7f65", name: "prod", generation: 1 };
  const next = `${store.id}0badcafe`;
  assert.equal(loopOf({ version: 1, store }, [next], undefined, 2).loop.problem, undefined);
  // Of two recoveries side by side one gives way by itself, whichever this node has.
  assert.equal(
    loopOf({ version: 1, store: { ...store, id: next } }, [store.id]).loop.problem,
    undefined,
  );
});

test("who gives its vote back takes none any more", async () => {
  const { loop, began } = loopOf({ version: 1, store: OWN, member: "7" }, ["a1"]);
  assert.equal(await loop.leave(false), undefined);
  const again = { store: OWN, member: "8", members: [] };
  await assert.rejects(loop.start(again), (error) => isHansaError(error, "STORE_REFUSED"));
  assert.deepEqual(began, []);
});

test("a node that lost its data makes no store beside the one of which it has a copy", async () => {
  const { loop, began } = loopOf(undefined, [undefined], OWN);
  await assert.rejects(loop.create("prod"), (error) => {
    assert.ok(isHansaError(error, "STORE_EXISTS"));
    assert.match(`${error.hint}`, /hansa expected 1/);
    return true;
  });
  assert.deepEqual(began, []);
});

test("what keeps this node's part from its work is a warning after 5 s, until the vote is taken", async () => {
  const { loop, place, clock } = loopOf({ version: 1, store: OWN }, []);
  const failing = Object.assign(place, {
    renew: async () => undefined,
    mend: async () => undefined,
    keep: () => Promise.reject(new HansaError("TOOL_MISSING", "there is no etcd")),
    end: async () => void Object.assign(place, { record: undefined }),
  });
  loop.begin();
  for (let look = 0; look < 14; look++) {
    clock.advance(500);
    await setImmediate();
  }
  assert.equal(loop.problem, "TOOL_MISSING: there is no etcd");
  await loop.end({ store: OWN });
  assert.equal(failing.record, undefined);
  clock.advance(500);
  await setImmediate();
  assert.equal(loop.problem, undefined);
});

test("a full disk is a warning for as long as etcd ends of it again and again, though it serves in between", async () => {
  const { loop, place, damage, clock } = loopOf({ version: 1, store: OWN, settled: true }, []);
  const lately = new HansaError("STORE_DISK_FULL", "the disk of this node's vote is full");
  let looks = 0;
  const serving = { status: async () => ({ member: 7n, leader: 8n }) };
  Object.assign(place, {
    settle: async () => undefined,
    link: async () => {
      if (looks++ % 3 !== 0) throw new HansaError("STORE_UNREACHABLE", "connection refused");
      return { store: serving };
    },
  });
  Object.assign(damage, { lately, look: async () => `STORE_DISK_FULL: ${lately.message}` });
  loop.begin();
  const seen = new Set<string | undefined>();
  for (let count = 0; count < 40; count++) {
    clock.advance(500);
    for (let turn = 0; turn < 10; turn++) await setImmediate();
    if (count > 14) seen.add(loop.problem);
  }
  assert.deepEqual([...seen], ["STORE_DISK_FULL: the disk of this node's vote is full"]);
  assert.ok(looks > 20, `${looks}`);
});

test("a vote that this node cannot take is a warning here from 5 s on, and who asks for its etcd hears why", async () => {
  const { loop, place, clock } = loopOf(undefined, []);
  const refused = new HansaError("PORT_TAKEN", "port 2379/tcp is held by etcd (pid 7)");
  const able = place.begin;
  const unable = Object.assign(place, { begin: () => Promise.reject(refused) });
  const request = { store: OWN, member: "7", members: [] };
  for (let count = 0; count < 12; count++) {
    await assert.rejects(loop.start(request), refused);
    clock.advance(500);
  }
  assert.deepEqual(loop.problems, [
    "PORT_TAKEN: this node cannot take its vote: port 2379/tcp is held by etcd (pid 7)",
  ]);
  await assert.rejects(loop.voter(), refused);
  Object.assign(unable, { begin: able });
  await loop.start(request);
  assert.deepEqual(loop.problems, []);
});

test("a node with a vote looks at who has just come at once, and at news of others when it is time", async () => {
  const { loop, clock, place, come } = loopOf({ version: 1, store: OWN, settled: true }, []);
  let looks = 0;
  const made = {
    renew: async () => undefined,
    mend: async () => undefined,
    settle: async () => undefined,
    keep: async () => {
      looks += 1;
    },
    close: async () => undefined,
  };
  Object.assign(place, made);
  const turn = async (ms: number): Promise<number> => {
    clock.advance(ms);
    for (let index = 0; index < 20; index += 1) await setImmediate();
    return looks;
  };
  loop.begin();
  assert.equal(await turn(0), 1);
  assert.equal(await turn(10), 1);
  come(2);
  assert.equal(await turn(0), 2);
  come(2);
  assert.equal(await turn(10), 2);
  assert.equal(await turn(600), 3);
  await loop.close();
});

test("what a recovery ends with is looked at before it serves: a store that is outlived by then is fenced, and is no success", async () => {
  const store = { ...OWN, generation: 2 };
  const copy = { store: OWN, revision: 7n, takenAtMs: 0, entries: [] };
  const failure = new HansaError("STORE_UNREACHABLE", "the store does not lead");
  for (const fails of [true, false]) {
    const { loop, place, options } = loopOf({ version: 1, store: OWN, settled: true }, []);
    const [heir] = rosterWith(memberOf({ id: 2, store: { id: "a1", generation: 3 } })).peers;
    const told: unknown[] = [];
    const refuse = (): void => void told.push("asked");
    Object.assign(options.membership, { setStore: (mark: unknown) => told.push(mark) });
    Object.assign(options.retreat, { backUpBefore: async () => "/backups/former" });
    const settled = { settled: store, isFenced: false };
    Object.assign(place, settled, {
      async refound(_store: NamedStore, _copy: StoreCopy, how: Refounding) {
        assert.equal(how.keep, "/backups/former");
        how.refuse();
        Object.assign(options.rivals, { heir });
        // Whatever it was while it was made.
        if (fails) throw failure;
      },
    });
    const made = loop.refound(store, copy, refuse);
    await assert.rejects(made, (error) =>
      isHansaError(error, fails ? "STORE_UNREACHABLE" : "STORE_REFUSED"),
    );
    assert.deepEqual(told, ["asked", "asked"]);
    assert.equal((place as { isFenced?: boolean }).isFenced, true);
  }
});
