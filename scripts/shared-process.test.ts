import assert from "node:assert/strict";
import { test } from "node:test";
import { groupsOf, sharesProcess } from "./shared-process.ts";

const PURE = `import assert from "node:assert/strict";
import { test } from "node:test";
import { ring } from "./ring.ts";
test("a ring", () => assert.ok(ring));
`;

test("a file beside the code shares a process unless it could change it for others", () => {
  assert.ok(sharesProcess("src/ipam/ring.test.ts", PURE));
  assert.ok(!sharesProcess("test/e2e/ring.test.ts", PURE));
  const changing = [
    `import { spawn } from "node:child_process";`,
    `import { createServer } from "node:net";`,
    "before(async () => {});",
    "afterEach(() => close());",
    `process.env["HANSA_ROOT"] = "/tmp";`,
    "test.mock.timers.enable();",
    "await new Promise((resolve) => setTimeout(resolve, 5));",
  ];
  for (const line of changing) assert.ok(!sharesProcess("src/ring.test.ts", `${PURE}${line}\n`));
});

test("groups hold all files once, in their order, and are of nearly one size", () => {
  const files = Array.from({ length: 25 }, (_, at) => `${at}`);
  const groups = groupsOf(files, 12);
  assert.deepEqual(
    groups.map((group) => group.length),
    [9, 9, 7],
  );
  assert.deepEqual(groups.flat(), files);
  assert.deepEqual(groupsOf([], 12), []);
});
