import assert from "node:assert/strict";
import { test } from "node:test";
import { HansaError } from "../../errors.ts";
import { LEAST_TIMING } from "../../store/store-times.ts";
import type { VoterRecord } from "../../store/voter-record.ts";
import type { VoterLink } from "./etcd-connections.ts";
import { VoterWord } from "./voter-word.ts";

const STATUS = {
  ...{ cluster: "a1", member: 7n, leader: 9n as bigint | undefined, isLearner: false },
  ...{ revision: 1n, term: 2n, applied: 4n, bytes: 4096n, inUse: 2048n, version: "3.4.23" },
};
const RECORD: VoterRecord = { version: 1, store: { id: "a1", name: "prod", generation: 1 } };

/** An etcd that answers when it is let. */
class Disk {
  status = STATUS;
  isSlow = false;
  asked = 0;
  refusal: HansaError | undefined;
  record: VoterRecord | undefined = RECORD;
  readonly timing = LEAST_TIMING;
  #waiting: (() => void)[] = [];

  readonly #store = {
    status: async () => {
      this.asked += 1;
      if (this.isSlow) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      if (this.refusal) throw this.refusal;
      return this.status;
    },
  };

  async link(): Promise<VoterLink | undefined> {
    return this.record && ({ store: this.#store } as unknown as VoterLink);
  }

  /** Whoever waits has waited too long. */
  hang(): void {
    this.refusal = new HansaError("STORE_NO_QUORUM", "not in time");
    this.written();
  }

  written(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function world() {
  const disk = new Disk();
  const measured = () => ({ fsyncMs: 1600, witnessMs: null });
  return { disk, word: new VoterWord({ place: disk, measured }) };
}

test("an etcd that is late is told of by its last word, and so are its times; one question waits at a time", async () => {
  const { disk, word } = world();
  const prompt = await word.ask();
  assert.deepEqual(prompt, {
    ...{ member: "7", leader: "9", isLearner: false, applied: "4", bytes: 4096, inUse: 2048 },
    times: { ...LEAST_TIMING, fsyncMs: 1600, witnessMs: null },
  });
  disk.isSlow = true;
  disk.status = { ...STATUS, applied: 5n };
  const [first, second] = await Promise.all([word.ask(), word.ask()]);
  assert.deepEqual(first, { ...prompt, isLate: true });
  assert.deepEqual(second, first);
  assert.equal(disk.asked, 2);
  // What it said at last is known from then on.
  disk.written();
  await new Promise(setImmediate);
  assert.equal((await word.ask())?.applied, "5");
  assert.equal(disk.asked, 3);
});

test("one that does not answer at all is no late one: what it said before is too old", async () => {
  const { disk, word } = world();
  const why = (): string => `${word.slowness?.message}`;
  assert.equal(why(), "undefined");
  await word.ask();
  assert.match(why(), /answers late: its disk takes 1600 ms/);
  disk.isSlow = true;
  assert.equal((await word.ask())?.isLate, true);
  disk.hang();
  await new Promise(setImmediate);
  assert.equal(why(), "undefined");
  disk.isSlow = false;
  disk.refusal = undefined;
  assert.equal((await word.ask())?.isLate, undefined);
});

test("another member by now is waited for", async () => {
  const { disk, word } = world();
  await word.ask();
  disk.isSlow = true;
  disk.record = { ...RECORD };
  assert.equal(word.slowness, undefined);
  const asked = word.ask();
  disk.status = { ...STATUS, member: 8n };
  await new Promise(setImmediate);
  disk.written();
  const told = await asked;
  assert.deepEqual([told?.member, told?.isLate], ["8", undefined]);
  disk.record = undefined;
  assert.equal(await word.ask(), undefined);
});

test("what etcd refuses is refused", async () => {
  const { disk, word } = world();
  const refused = new HansaError("STORE_UNREACHABLE", "connection refused");
  disk.link = async () =>
    ({ store: { status: () => Promise.reject(refused) } }) as unknown as VoterLink;
  await assert.rejects(word.ask(), (error) => error === refused);
});
