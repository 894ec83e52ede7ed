/** Bombs of all kinds are refused, in bounded time and memory, measured in a process of their own. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { type Bomb, LARGE, SMALL } from "./bombs.ts";

interface Outcome {
  readonly name: string;
  readonly isRefused: boolean;
  /** Of CPU. */
  readonly ms: number;
  readonly grownKiB: number;
}

function explode(size: "small" | "large"): readonly Outcome[] {
  const child = spawnSync(process.execPath, [join(import.meta.dirname, "bombs.ts"), size], {
    encoding: "utf8",
    timeout: 180_000,
  });
  assert.equal(child.status, 0, child.stderr);
  return child.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function check(
  bombs: readonly Bomb[],
  outcomes: readonly Outcome[],
  maxKiB: number,
  maxMs: number,
): void {
  assert.equal(outcomes.length, bombs.length);
  for (const [index, { name, isRefused, ms, grownKiB }] of outcomes.entries()) {
    assert.equal(isRefused, bombs[index]?.isRefused, name);
    assert.ok(ms <= maxMs, `${name} took ${ms} ms of CPU`);
    assert.ok(grownKiB <= maxKiB, `${name} took ${grownKiB} KiB`);
  }
}

test("bombs of the size of a packet are refused and cost less than 8 MiB and 0.2 s each", () => {
  check(SMALL, explode("small"), 8 * 1024, 200);
});

test("bombs of the size of a stream are refused, or cost no more than what is read at most", () => {
  check(LARGE, explode("large"), 160 * 1024, 2_000);
});
