import assert from "node:assert/strict";
import { test } from "node:test";
import { availableMiB, IdleShare, sideBySide } from "./side-by-side.ts";

/** Jobs that end when told to, and how many run. */
function jobsOf(count: number) {
  const ends: (() => void)[] = [];
  const jobs = Array.from({ length: count }, () => () => {
    return new Promise<void>((resolve) => {
      ends.push(resolve);
    });
  });
  return { jobs, ends };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

test("without room only the least run side by side, all in their order", async () => {
  const { jobs, ends } = jobsOf(5);
  const done = sideBySide(jobs, { least: 2, most: 4, hasRoom: () => false, pauseMs: 1 });
  for (let ended = 0; ended < 5; ended += 1) {
    await until(() => ends.length >= Math.min(5, ended + 2));
    assert.equal(ends.length, Math.min(5, ended + 2));
    ends[ended]?.();
  }
  await done;
});

test("with room there are more, up to the most", async () => {
  const { jobs, ends } = jobsOf(6);
  const done = sideBySide(jobs, { least: 1, most: 4, hasRoom: () => true, pauseMs: 1 });
  await until(() => ends.length === 4);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(ends.length, 4);
  for (const end of ends) end();
  await until(() => ends.length === 6);
  for (const end of ends) end();
  await done;
});

test("a failure ends it, once those that run have ended, and begins no other", async () => {
  const { jobs, ends } = jobsOf(1);
  const failing = (): Promise<void> => Promise.reject(new Error("no"));
  const never = (): Promise<void> => assert.fail("was begun");
  const options = { least: 2, most: 2, hasRoom: () => false, pauseMs: 1 };
  const done = sideBySide([...jobs, failing, never], options);
  await until(() => ends.length === 1);
  ends[0]?.();
  await assert.rejects(done, /no/);
});

test("the idle share is of the last samples", () => {
  const lines = [
    "cpu 0 0 0 0 0 0 0 0 0 0",
    "cpu 50 0 0 50 0 0 0 0 9 9",
    "cpu 50 0 0 150 0 0 0 0 9 9",
  ];
  let at = 0;
  const idle = new IdleShare(2, () => `${lines[at++]}\ncpu0 1 2 3`);
  assert.equal(idle.share, 0);
  const shares = lines.map(() => {
    idle.sample();
    return idle.share;
  });
  assert.deepEqual(shares, [0, 0.5, 1]);
});

test("memory is what is available, not what is free", () => {
  assert.equal(availableMiB("MemFree:  1024 kB\nMemAvailable:    8192 kB\n"), 8);
  assert.equal(availableMiB(""), 0);
  assert.ok(availableMiB() > 0);
});
