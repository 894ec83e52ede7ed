/** What decides over an upgrade: what a file says of itself, and whether the node is as healthy as before. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isHansaError } from "../errors.ts";
import { systemCommand } from "../host/command.ts";
import { buildOf } from "./build-file.ts";
import { type Health, missingHealth } from "./node-health.ts";

test("a node is as healthy as before when all that worked works, under the build that was wanted", () => {
  const good: Health = { build: "2+b", plugin: true, ready: true, established: 1 };
  const before: Health = { build: "1+a", plugin: true, ready: true, established: 3 };
  assert.equal(missingHealth(good, before, "2+b"), undefined);
  assert.match(`${missingHealth({ ...good, build: undefined }, before, "2+b")}`, /does not answer/);
  assert.match(
    `${missingHealth({ ...good, build: "1+a" }, before, "2+b")}`,
    /build 1\+a, not 2\+b/,
  );
  assert.match(`${missingHealth({ ...good, plugin: false }, before, "2+b")}`, /plugin/);
  assert.match(`${missingHealth({ ...good, ready: false }, before, "2+b")}`, /addresses/);
  assert.match(`${missingHealth({ ...good, established: 0 }, before, "2+b")}`, /no connection/);
  const alone: Health = { ...before, ready: false, established: 0 };
  const now: Health = { ...good, ready: false, established: 0 };
  assert.equal(missingHealth(now, alone, "2+b"), undefined);
});

test("a file is asked what it is, and anything but a clear answer is refused", async () => {
  const dir = await mkdtemp(join(tmpdir(), "hansa-build-"));
  try {
    for (const [says, words] of [
      ['echo \'{"version":"1"}\'', /does not tell its version/],
      ["echo '[]'", /does not tell its version/],
      ["yes", /does not tell its version/],
      ["exit 3", /ended with status 3/],
    ] as const) {
      const file = join(dir, "build");
      await writeFile(file, `#!/bin/sh\n${says}\n`, { mode: 0o755 });
      await assert.rejects(buildOf(file, systemCommand), (error) => {
        assert.ok(isHansaError(error, "UPGRADE_REFUSED"), `${error}`);
        assert.match(error.message, words);
        return true;
      });
    }
    const file = join(dir, "good");
    const said = '{"version":"1","revision":"r","formats":{"ring.json":2,"x":"y"}}';
    await writeFile(file, `#!/bin/sh\necho '${said}'\n`, { mode: 0o755 });
    const formats = { "ring.json": 2 };
    assert.deepEqual(await buildOf(file, systemCommand), { version: "1", revision: "r", formats });
  } finally {
    await rm(dir, { recursive: true });
  }
});
