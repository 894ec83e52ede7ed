import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { longestFirst, parseSeconds, withMeasured } from "./recorded-seconds.ts";
import { ROOT } from "./steps.ts";

const TEXT = "# seconds\n40 test/long.test.ts\n3 src/short.test.ts\n";

test("the longest begin first, a new one in the middle, and those that share a process last", () => {
  const jobs = [["a", "b"], ["src/short.test.ts"], ["new"], ["other"], ["test/long.test.ts"]];
  const ordered = longestFirst(jobs, (job) => job, parseSeconds(TEXT));
  const last = [["src/short.test.ts"], ["a", "b"]];
  assert.deepEqual(ordered, [["test/long.test.ts"], ["new"], ["other"], ...last]);
});

test("what was measured takes the place of what was recorded, and the rest stays", () => {
  const measured = new Map([
    ["src/short.test.ts", 1.2],
    ["src/new.test.ts", 5.6],
  ]);
  const text = withMeasured(TEXT, measured);
  assert.equal(text, "# seconds\n6 src/new.test.ts\n40 test/long.test.ts\n");
  assert.equal(withMeasured(text, new Map()), text);
});

test("each file in test/seconds.txt is there", () => {
  const recorded = parseSeconds(readFileSync(join(ROOT, "test/seconds.txt"), "utf8"));
  assert.ok(recorded.size > 50, `${recorded.size} files`);
  for (const file of recorded.keys()) assert.ok(existsSync(join(ROOT, file)), file);
});
