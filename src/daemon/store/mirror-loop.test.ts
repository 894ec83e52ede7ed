import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { HansaError } from "../../errors.ts";
import { ManualClock } from "../../host/clock.ts";
import { silentLogger } from "../../host/logger.ts";
import { MemoryStore } from "../../store/memory-store.ts";
import { NodeStore, type StoreWay } from "../../store/node-store.ts";
import type { NamedStore } from "../../store/store-copy.ts";
import { StoreMirror } from "../../store/store-mirror.ts";
import { until } from "../timing/until.ts";
import { MirrorLoop } from "./mirror-loop.ts";

const PROD = { id: "a1".repeat(8), name: "prod", generation: 1 };

let root: string;
let count = 0;
before(async () => {
  root = await mkdtemp(join(tmpdir(), "hansa-follow-"));
});
after(() => rm(root, { recursive: true, force: true }));

class Voter {
  readonly memory = new MemoryStore();
  mark: NamedStore = PROD;
  ended = new AbortController();
  opened = 0;
  isOwn = false;

  way(): StoreWay {
    return {
      ...{ name: this.isOwn ? "this node" : "node 1 (host1)", isOwn: this.isOwn },
      open: async () => {
        this.opened += 1;
        this.ended = new AbortController();
        return {
          ...{ mark: this.mark, store: this.memory, voters: { list: async () => [] } },
          ...{ ended: this.ended.signal, close: () => this.ended.abort() },
        };
      },
    };
  }

  async put(key: string, value: string): Promise<void> {
    const bytes = Buffer.from(value);
    await this.memory.commit({ conditions: [], writes: [{ type: "put", key, value: bytes }] });
  }
}

async function follower(voters: Voter[]) {
  const clock = new ManualClock();
  const mirror = await StoreMirror.load({
    ...{ dir: join(root, `${count++}`), clock, logger: silentLogger, changed: () => undefined },
  });
  const ways = (): StoreWay[] => voters.map((voter) => voter.way());
  const store = new NodeStore({ ways, wasNotTaken: () => false });
  const loop = new MirrorLoop({
    ...{ mirror, store, hasWay: () => voters.length > 0, clock, logger: silentLogger },
    lookMs: 20,
  });
  loop.begin();
  const text = (key: string): string | undefined => {
    const entry = mirror.get(key);
    return entry && Buffer.from(entry.value).toString();
  };
  const end = async (): Promise<void> => {
    store.close();
    await loop.close();
  };
  return { clock, mirror, loop, text, end };
}

test("it has all of the store, then each change, and knows that it is current", async () => {
  const voter = new Voter();
  await voter.put("a", "1");
  const { mirror, text, end, clock } = await follower([voter]);
  await until(() => text("a") === "1");
  await voter.put("a", "2");
  await voter.put("b", "3");
  await until(() => text("a") === "2" && text("b") === "3");
  assert.equal(mirror.ageMs, 0);
  clock.advance(4000);
  assert.equal(mirror.ageMs, 4000);
  await end();
});

test("it waits for a voter to be heard, and goes on after an outage where it was, also over a compaction", async () => {
  const voters: Voter[] = [];
  const { text, loop, end } = await follower(voters);
  const voter = new Voter();
  await voter.put("a", "1");
  voters.push(voter);
  loop.changed();
  await until(() => text("a") === "1");
  voter.memory.fail(new HansaError("STORE_NO_QUORUM", "no leader"));
  voter.memory.fail(undefined);
  await voter.put("a", "2");
  await until(() => text("a") === "2");
  voter.memory.fail(new HansaError("STORE_NO_QUORUM", "no leader"));
  voter.memory.fail(undefined);
  await voter.put("a", "3");
  await voter.put("b", "4");
  voter.memory.compact((await voter.memory.get("b")).revision);
  await until(() => text("a") === "3" && text("b") === "4");
  await end();
});

test("a later generation takes the place of an earlier one; an earlier one never does", async () => {
  const old = new Voter();
  for (const value of ["1", "2", "3"]) await old.put("a", value);
  const voters = [old];
  const { clock, loop, mirror, text, end } = await follower(voters);
  await until(() => text("a") === "3");
  const next = new Voter();
  next.mark = { ...PROD, id: `${PROD.id}00000001`, generation: 2 };
  await next.put("a", "after the recovery");
  voters[0] = next;
  old.ended.abort();
  await until(() => text("a") === "after the recovery");
  assert.equal(mirror.store?.generation, 2);
  voters[0] = old;
  next.ended.abort();
  await old.put("a", "4");
  await old.put("b", "here it is followed");
  await until(() => old.opened > 2);
  assert.equal(loop.problem, undefined, "for a moment that is nothing");
  clock.advance(6000);
  assert.match(
    `${loop.problem}`,
    /^STORE_COPY_AHEAD: this node's copy \(generation 2 of prod, revision \d+\) is ahead of .* \(generation 1\)/,
  );
  voters[0] = next;
  old.ended.abort();
  await until(() => loop.problem === undefined);
  await next.put("c", "5");
  await until(() => text("c") === "5");
  assert.deepEqual([text("a"), text("b")], ["after the recovery", undefined]);
  await end();
});

test("what it followed through another node it follows through its own vote, once that answers", async () => {
  const far = new Voter();
  await far.put("a", "1");
  const voters = [far];
  const { text, end } = await follower(voters);
  await until(() => text("a") === "1");
  const own = new Voter();
  own.isOwn = true;
  // Not caught up yet.
  own.memory.fail(new HansaError("STORE_UNREACHABLE", "a learner does not answer"));
  await own.put("a", "1").catch(() => undefined);
  voters.unshift(own);
  await until(() => own.opened > 1);
  await far.put("a", "2");
  await until(() => text("a") === "2");
  assert.equal(far.ended.signal.aborted, false);
  own.memory.fail(undefined);
  for (const value of ["1", "2", "3"]) await own.put("a", value);
  await until(() => text("a") === "3");
  assert.equal(far.ended.signal.aborted, true);
  await end();
});
