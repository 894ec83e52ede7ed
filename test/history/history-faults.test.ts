import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seeded } from "../../src/values/seeded-random.ts";
import { historyFaults } from "./history-faults.ts";
import type { MirrorRead, Operation, Read, Write } from "./operation.ts";

const asked = (node: number, beganMs: number, endedMs: number) => ({
  ...{ key: "k", node, beganMs, endedMs },
});
const write = (
  value: string,
  beganMs: number,
  endedMs: number,
  rest: Partial<Write> = {},
): Write => ({
  ...{ kind: "write", ...asked(1, beganMs, endedMs), value, outcome: "done", ...rest },
});
const read = (
  value: string | undefined,
  beganMs: number,
  endedMs: number,
  revision = 0n,
): Read => ({
  ...{ kind: "read", ...asked(2, beganMs, endedMs), value, revision },
});
const mirrored = (value: string, revision: bigint, beganMs: number, ageMs: number): MirrorRead => ({
  ...{ kind: "mirror read", ...asked(3, beganMs, beganMs + 1), value, revision, ageMs },
});

test("operations that overlap may have happened in any order", () => {
  const overlapping = [write("a", 0, 10), write("b", 5, 15), read("b", 12, 13), read("a", 16, 17)];
  assert.deepEqual(historyFaults([...overlapping.slice(0, 3), read("b", 16, 17)]), []);
  // b was read after a had ended, so that a cannot come after it.
  assert.equal(historyFaults(overlapping).length, 1);
});

test("an acknowledged write that is lost is found, and so is one that a minority acknowledged", () => {
  assert.match(
    historyFaults([write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)])[0] ?? "",
    /^k: nothing explains the read of a by node 2 \(4 to 5 ms/,
  );
  // Two sides of a split, both told that they took the place of a.
  const first = write("a", 0, 1);
  const sides = [write("b", 2, 3, { expected: "a" }), write("c", 2, 4, { expected: "a" })];
  assert.equal(historyFaults([first, ...sides]).length, 1);
  assert.deepEqual(historyFaults([first, sides[0] as Write]), []);
});

test("a write without an answer may be seen later, or never, and not go away again", () => {
  const unknown = write("b", 2, 3, { outcome: "unknown" });
  const before = [write("a", 0, 1), unknown];
  assert.deepEqual(historyFaults([...before, read("a", 4, 5), read("b", 60, 61)]), []);
  assert.deepEqual(historyFaults([...before, read("a", 4, 5)]), []);
  assert.equal(historyFaults([...before, read("b", 4, 5), read("a", 6, 7)]).length, 1);
  // Nor can it be seen before it was asked for.
  assert.equal(
    historyFaults([write("a", 0, 1), read("b", 2, 3), { ...unknown, beganMs: 4 }]).length,
    1,
  );
  // It was done, for something took its place.
  const after = write("c", 10, 11, { expected: "b" });
  assert.deepEqual(historyFaults([...before, after, read("c", 12, 13)]), []);
});

test("a revision stands for one value, and whoever asks later is told no lower one", () => {
  const twice = [write("a", 0, 1, { revision: 5n }), write("b", 2, 3, { revision: 5n })];
  assert.match(historyFaults(twice).join(), /revision 5 was a and b/);
  const back = [write("a", 0, 1, { revision: 5n }), write("b", 2, 3, { revision: 4n })];
  assert.match(historyFaults(back).join(), /came after the write of a/);
});

test("a node's own copy may be old, but not older than it says, and never goes back", () => {
  const history = [
    write("a", 0, 10, { revision: 1n }),
    write("b", 20, 30, { revision: 2n }),
    mirrored("a", 1n, 100, 85),
  ];
  assert.deepEqual(historyFaults(history), []);
  assert.deepEqual(historyFaults([...history, mirrored("b", 2n, 200, 50)]), []);
  const older = historyFaults([...history, mirrored("a", 1n, 200, 50)]);
  assert.match(older.join(), /older than its age: the write of b/);
  const back = [...history, mirrored("b", 2n, 200, 50), mirrored("a", 1n, 300, 299)];
  assert.match(historyFaults(back).join(), /node 3 went back/);
});

/** Clients of a register that works, or of one with a fault, at random times; every operation happens at one moment between its ends. */
function played(seed: number, fault?: "loses a write" | "reads what was"): readonly Operation[] {
  const random = seeded(seed);
  const events: { readonly atMs: number; readonly run: () => void }[] = [];
  const history: Operation[] = [];
  const past: (string | undefined)[] = [undefined];
  let revision = 0n;
  let broken = 0;
  for (let client = 0; client < 5; client += 1) {
    let atMs = random() * 10;
    for (let turn = 0; turn < 12; turn += 1) {
      const beganMs = atMs;
      const momentMs = beganMs + random() * 20;
      const endedMs = momentMs + random() * 20;
      atMs = endedMs + random() * 5;
      const name = `${client}-${turn}`;
      const draw = random();
      const isLost = draw > 0.9 && draw < 0.95;
      events.push({
        atMs: momentMs,
        run: () => {
          if (draw < 0.5) {
            const isOld = fault === "reads what was" && past.length > 3 && draw < 0.2;
            if (isOld) broken += 1;
            const value = isOld ? past.at(-4) : past.at(-1);
            history.push(read(value, beganMs, endedMs));
            return;
          }
          if (draw > 0.95) {
            history.push(write(name, beganMs, endedMs, { outcome: "unknown" }));
            return;
          }
          const expected = draw < 0.7 ? { expected: past.at(-1) ?? null } : {};
          if (fault === "loses a write" && isLost) broken += 1;
          else past.push(name);
          revision += 1n;
          history.push(write(name, beganMs, endedMs, { revision, ...expected }));
        },
      });
    }
  }
  for (const { run } of events.sort((a, b) => a.atMs - b.atMs)) run();
  // At the end all is still, and everybody is asked once more.
  const endMs = Math.max(...history.map(({ endedMs }) => endedMs));
  history.push(read(past.at(-1), endMs + 1, endMs + 2));
  return fault === undefined || broken > 0 ? history : [];
}

test("whatever a register that works does is explained", () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      assert.deepEqual(historyFaults(played(seed)), []);
    }),
    { numRuns: 100 },
  );
});

test("a register that loses writes or answers with what was is caught in most histories", () => {
  for (const fault of ["loses a write", "reads what was"] as const) {
    const broken = Array.from({ length: 100 }, (_, seed) => played(seed, fault)).filter(
      (history) => history.length > 0,
    );
    const caught = broken.filter((history) => historyFaults(history).length > 0).length;
    // A write may be lost just as another takes its place: nobody can tell.
    assert.ok(caught > broken.length / 2, `${fault}: ${caught} of ${broken.length}`);
  }
});
