/** Marks tell of the end of processes that are not our children's, whatever ended them. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { LIFE_MARK_FD, lifeMarksWork, makeLifeMark, watchLife } from "./life-mark.ts";

let folder: string;
const started: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "life-mark-"));
});
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** Runs `script` in a Node until it has said its first words; without a mark where `mark` is undefined. */
async function startNode(
  script: string,
  mark: number | undefined,
): Promise<{ readonly child: ChildProcess; readonly words: string }> {
  const child = spawn(process.execPath, ["-e", script], {
    stdio: ["pipe", "pipe", "inherit", ...(mark === undefined ? [] : [mark])],
  });
  started.push(child);
  if (mark !== undefined) closeSync(mark);
  assert.ok(child.stdout);
  const [words] = (await once(child.stdout, "data")) as [Buffer];
  return { child, words: words.toString() };
}

const STAYS = "console.log(1); setInterval(() => {}, 1000)";

test("the end of a process is told, and its mark has no name", async () => {
  const { child } = await startNode(STAYS, makeLifeMark(folder));
  assert.deepEqual(readdirSync(folder), []);
  const ended = Promise.withResolvers<void>();
  assert.ok(watchLife(child.pid ?? 0, () => ended.resolve()));
  child.kill("SIGKILL");
  await ended.promise;
});

test("what a process starts does not keep its mark", async () => {
  const script = `console.log(require("node:child_process").spawn("sleep", ["1000"]).pid)`;
  const { child, words } = await startNode(script, makeLifeMark(folder));
  const grandchild = Number(words);
  try {
    const ended = Promise.withResolvers<void>();
    assert.ok(watchLife(child.pid ?? 0, () => ended.resolve()));
    child.kill("SIGKILL");
    await ended.promise;
    assert.match(readFileSync(`/proc/${grandchild}/stat`, "utf8"), /\(sleep\) S/);
  } finally {
    process.kill(grandchild, "SIGKILL");
  }
});

test("a process that lets its mark go and lives on is told of as well", async () => {
  const script = `process.stdin.once("data", () => require("node:fs").closeSync(${LIFE_MARK_FD})); ${STAYS}`;
  const { child } = await startNode(script, makeLifeMark(folder));
  const ended = Promise.withResolvers<void>();
  assert.ok(watchLife(child.pid ?? 0, () => ended.resolve()));
  child.stdin?.write("close it\n");
  await ended.promise;
  assert.equal(child.exitCode, null);
});

test("a process without a mark, or that is gone, cannot be watched", async () => {
  const { child } = await startNode(STAYS, undefined);
  assert.equal(watchLife(child.pid ?? 0, assert.fail), undefined);
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(watchLife(child.pid ?? 0, assert.fail), undefined);
});

test("after it was stopped a watch tells nothing", async () => {
  const { child } = await startNode(STAYS, makeLifeMark(folder));
  const stop = watchLife(child.pid ?? 0, assert.fail);
  assert.ok(stop);
  stop();
  const ended = Promise.withResolvers<void>();
  assert.ok(watchLife(child.pid ?? 0, () => ended.resolve()));
  child.kill("SIGKILL");
  await ended.promise;
});

test("marks are tried before they are relied on", async () => {
  assert.equal(await lifeMarksWork(folder), true);
  assert.deepEqual(readdirSync(folder), []);
});
