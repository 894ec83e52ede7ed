import assert from "node:assert/strict";
import { test } from "node:test";
import { HansaError, isHansaError } from "../../errors.ts";
import type { Entry } from "../../store/store.ts";
import { ConfigAnswers } from "./config-answers.ts";

const entryOf = (value: string): Entry => ({
  ...{ key: "config/motd", value: Buffer.from(value), revision: 8n, created: 8n },
});

/** A voter that fails with `failure`, where there is one, beside a copy that is `ageMs` old and takes `written` to be on disk. */
function answersOf(
  failure: HansaError | undefined,
  ageMs: number | undefined,
  written = async (): Promise<void> => undefined,
): ConfigAnswers {
  const fresh = async <T>(value: T): Promise<T> => {
    if (failure) throw failure;
    return value;
  };
  const copied = entryOf("of the copy");
  return new ConfigAnswers({
    store: {
      get: () => fresh({ entry: entryOf("of a majority"), revision: 9n }),
      list: () => fresh({ entries: [entryOf("of a majority")], revision: 9n }),
      commit: () => fresh({ ok: true, revision: 9n }),
    },
    mirror: {
      ...{ store: { id: "a1", name: "prod", generation: 1 }, ageMs },
      ...{ get: () => copied, list: () => [copied], written },
    },
    inPlainWords: async (error) => error,
  });
}

const lost = new HansaError("STORE_NO_QUORUM", "1 of 3 votes are heard");
const asked = { key: "motd", consistent: false };

test("what a majority reads is fresh and has no age", async () => {
  const { entry, ...freshness } = await answersOf(undefined, 130_000).get(asked);
  assert.equal(entry?.value, "of a majority");
  assert.deepEqual(freshness, { stale: false, ageMs: null, reason: null });
});

test("what the copy says is said to be stale, how old it is and why, of one entry and of a list", async () => {
  const answers = answersOf(lost, 130_000.4);
  const expected = { stale: true, ageMs: 130_000, reason: lost.message };
  const { entry, ...ofOne } = await answers.get(asked);
  assert.equal(entry?.value, "of the copy");
  assert.deepEqual(ofOne, expected);
  const { entries, ...ofAll } = await answers.list({ prefix: "", consistent: false });
  assert.equal(entries[0]?.value, "of the copy");
  assert.deepEqual(ofAll, expected);
});

test("the copy answers when it is on disk, and all the same when its disk hangs", async () => {
  let isWritten = false;
  const writing = answersOf(lost, 10, async () => {
    await undefined;
    isWritten = true;
  });
  await writing.get(asked);
  assert.ok(isWritten);
  const hanging = answersOf(lost, 10, () => new Promise<void>(() => undefined));
  // Nothing else keeps the test's process awake.
  const awake = setInterval(() => undefined, 1000);
  const { entry } = await hanging.get(asked);
  clearInterval(awake);
  assert.equal(entry?.value, "of the copy");
});

test("the copy answers neither who wants a majority, nor in place of another refusal, nor where there is none", async () => {
  const refused = new HansaError("STORE_REFUSED", "no");
  for (const [answers, question, code] of [
    [answersOf(lost, 10), { ...asked, consistent: true }, "STORE_NO_QUORUM"],
    [answersOf(refused, 10), asked, "STORE_REFUSED"],
    [answersOf(lost, undefined), asked, "STORE_NO_QUORUM"],
  ] as const) {
    await assert.rejects(answers.get(question), (error) => isHansaError(error, code));
  }
});

test("a write is never taken by a copy", async () => {
  const put = { key: "motd", value: "x", encoding: "utf8" } as const;
  await assert.rejects(answersOf(lost, 10).put(put), (error) =>
    isHansaError(error, "STORE_NO_QUORUM"),
  );
});
