import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { StoreBackups } from "./store-backups.ts";

test("of folders that etcd did not open the first one and the newest stay; files stay all", async () => {
  const directory = await mkdtemp(join(tmpdir(), "backups-"));
  try {
    const backups = new StoreBackups(directory);
    const store = { id: "a1", name: "prod", generation: 1 };
    await mkdir(join(directory, "backups"));
    await writeFile(join(directory, "backups/prod-g1-20260101T000000Z.hansa"), "");
    for (const minute of [0, 1, 2, 3]) {
      await mkdir(await backups.folder(store, Date.UTC(2026, 0, 2, 3, minute)));
    }
    assert.deepEqual((await readdir(join(directory, "backups"))).sort(), [
      "prod-g1-20260101T000000Z.hansa",
      "prod-g1-20260102T030000Z.etcd",
      "prod-g1-20260102T030300Z.etcd",
    ]);
  } finally {
    await rm(directory, { recursive: true });
  }
});
