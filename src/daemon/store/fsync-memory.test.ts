import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { silentLogger } from "../../host/logger.ts";
import { FsyncMemory } from "./fsync-memory.ts";

const DAY_MS = 86_400_000;
let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), "hansa-fsync-"));
});
after(() => rm(dir, { recursive: true }));

/** A daemon that starts at `wallMs`. */
async function daemon(wallMs: number) {
  const time = { ms: 0 };
  const clock = { monotonicMs: () => time.ms, wallMs: () => wallMs + time.ms };
  const memory = await FsyncMemory.load(join(dir, "disk.json"), clock, silentLogger);
  return { memory, time };
}

test("the next daemon knows the last figure, which is written once a minute at most, and forgotten in a month", async () => {
  const first = await daemon(DAY_MS);
  assert.equal(first.memory.last, undefined);
  first.memory.note(7);
  first.time.ms = 59_000;
  first.memory.note(800);
  assert.equal((await daemon(DAY_MS)).memory.last, 7);
  first.time.ms = 60_000;
  first.memory.note(900);
  assert.equal((await daemon(2 * DAY_MS)).memory.last, 900);
  assert.equal((await daemon(32 * DAY_MS)).memory.last, undefined);
});

test("a file that says something else is no memory", async () => {
  for (const wrong of [{ fsyncMs: -1, atMs: 0 }, { fsyncMs: "7", atMs: 0 }, { fsyncMs: 7 }, 8]) {
    await writeFile(join(dir, "disk.json"), JSON.stringify({ format: 1, ...Object(wrong) }));
    assert.equal((await daemon(DAY_MS)).memory.last, undefined);
  }
  (await daemon(DAY_MS)).memory.note(5);
  assert.match(await readFile(join(dir, "disk.json"), "utf8"), /"fsyncMs":5/);
});
