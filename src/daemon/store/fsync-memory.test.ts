import assert from "node:assert/strict";
import { existsSync } from "node:fs";
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
  await first.memory.written();
  first.time.ms = 59_000;
  first.memory.note(800);
  await first.memory.written();
  assert.equal((await daemon(DAY_MS)).memory.last, 7);
  first.time.ms = 60_000;
  first.memory.note(900);
  await first.memory.written();
  assert.equal((await daemon(2 * DAY_MS)).memory.last, 900);
  assert.equal((await daemon(32 * DAY_MS)).memory.last, undefined);
});

test("what says nothing new is not written: it lies on the disk that is measured", async () => {
  const { memory, time } = await daemon(DAY_MS);
  const path = join(dir, "disk.json");
  const noted = async (fsyncMs: number, atMs: number): Promise<boolean> => {
    await rm(path, { force: true });
    time.ms = atMs;
    memory.note(fsyncMs);
    await memory.written();
    return existsSync(path);
  };
  assert.equal(await noted(100, 0), true);
  assert.equal(await noted(124, 60_000), false);
  assert.equal(await noted(125, 120_000), true);
  assert.equal(await noted(93, 180_000), true);
  assert.equal(await noted(93, 180_000 + DAY_MS), true);
});

test("a file that says something else is no memory", async () => {
  for (const wrong of [{ fsyncMs: -1, atMs: 0 }, { fsyncMs: "7", atMs: 0 }, { fsyncMs: 7 }, 8]) {
    await writeFile(join(dir, "disk.json"), JSON.stringify({ format: 1, ...Object(wrong) }));
    assert.equal((await daemon(DAY_MS)).memory.last, undefined);
  }
  const { memory } = await daemon(DAY_MS);
  memory.note(5);
  await memory.written();
  assert.match(await readFile(join(dir, "disk.json"), "utf8"), /"fsyncMs":5/);
});
