import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { tarArchive } from "./tar-archive.ts";

test("the host's own tar takes it apart", () => {
  const folder = mkdtempSync(join(tmpdir(), "hansa-tar-"));
  try {
    const long = `${"folder/".repeat(20)}${"n".repeat(90)}.txt`;
    const files = [
      { path: "a.txt", text: "" },
      { path: "host1/é.json", text: `${"x".repeat(511)}é` },
      { path: "host1/exact", text: "y".repeat(512) },
      { path: long, text: "deep" },
    ];
    const input = tarArchive(files, Date.UTC(2026, 10, 21));
    assert.equal(input.length % 512, 0);
    execFileSync("tar", ["-xf", "-", "-C", folder], { input });
    for (const { path, text } of files) {
      assert.equal(readFileSync(join(folder, path), "utf8"), text);
    }
    const listed = execFileSync("tar", ["-tvf", "-"], { input, env: { TZ: "UTC" } }).toString();
    assert.match(listed, /^-rw------- 0\/0 +0 2026-11-21 00:00 a\.txt$/m);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a path that fits into no header is refused", () => {
  assert.throws(() => tarArchive([{ path: "n".repeat(101), text: "" }], 0), RangeError);
});
