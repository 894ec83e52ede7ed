import assert from "node:assert/strict";
import { appendFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isHansaError } from "../errors.ts";
import type { Command } from "../host/command.ts";
import { hansaPaths, logFile, type Paths } from "./paths.ts";
import { storeLogEnd, storeLogSince } from "./store-log.ts";

async function withPaths(work: (paths: Paths) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "store-log-"));
  try {
    const paths = hansaPaths({ HANSA_ROOT: root });
    await mkdir(paths.logDir, { recursive: true });
    await work(paths);
  } finally {
    await rm(root, { recursive: true });
  }
}

test("without systemd it is what the file got since, and all of a file that was begun anew", async () => {
  await withPaths(async (paths) => {
    const path = logFile(paths, "etcd");
    assert.equal(await storeLogSince(paths, storeLogEnd(paths, 0)), "");
    await writeFile(path, "before\n");
    const place = storeLogEnd(paths, 0);
    await appendFile(path, "after\n");
    assert.equal(await storeLogSince(paths, place), "after\n");
    await writeFile(path, "new\n");
    assert.equal(await storeLogSince(paths, place), "new\n");
    await appendFile(path, "x".repeat(100_000));
    assert.equal((await storeLogSince(paths, 0)).length, 64 * 1024);
  });
});

test("under systemd it is what the journal has of the unit since that second", async () => {
  await withPaths(async (paths) => {
    await mkdir(paths.systemdMark, { recursive: true });
    // Of the time before systemd.
    await writeFile(logFile(paths, "etcd"), "old\n");
    const asked: string[] = [];
    const journal = (status: number): Command => ({
      run: async (argv) => {
        asked.push(argv.join(" "));
        return { status, stdout: "panic: x\n", stderr: "No journal files were found.\n" };
      },
    });
    const place = storeLogEnd(paths, 1_700_000_000_900);
    assert.equal(await storeLogSince(paths, place, journal(0)), "panic: x\n");
    assert.deepEqual(asked, [
      "journalctl --no-pager --quiet --all --output cat --lines 400 --since @1700000000 _SYSTEMD_UNIT=hansa-etcd.service",
    ]);
    await assert.rejects(storeLogSince(paths, place, journal(1)), (error) =>
      isHansaError(error, "SYSTEMD_FAILED"),
    );
  });
});
