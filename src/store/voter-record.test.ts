import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as fc from "fast-check";
import { isHansaError } from "../errors.ts";
import { loadVoterRecord, saveVoterRecord } from "./voter-record.ts";

let dir: string;
let path: string;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "hansa-record-"));
  path = join(dir, "store.json");
});
after(() => rm(dir, { recursive: true, force: true }));

test("what was written down is read again, for root alone; none is no error", async () => {
  assert.equal(await loadVoterRecord(path), undefined);
  const record = {
    ...{ version: 1 as const, member: "8bb8a8d2261bebe3" },
    store: { id: "462a3d055a78b92d", name: "prod", generation: 1 },
  };
  await saveVoterRecord(path, record);
  assert.deepEqual(await loadVoterRecord(path), record);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test("one of a store that is being made anew names its folder, and where the former one's data goes", async () => {
  const record = {
    ...{ version: 1 as const, filling: true, data: "data-2-1705b67e" },
    store: { id: "462a3d055a78b92d1705b67e", name: "prod", generation: 2 },
    kept: { data: "data", to: "/var/lib/hansa/backups/prod-g1.etcd" },
  };
  await saveVoterRecord(path, record);
  assert.deepEqual(await loadVoterRecord(path), record);
  for (const bad of [{ data: "../data" }, { kept: { data: "data", to: "elsewhere" } }]) {
    await writeFile(path, JSON.stringify({ ...record, ...bad }));
    await assert.rejects(loadVoterRecord(path), (error) => isHansaError(error, "STATE_DAMAGED"));
  }
});

test("a damaged one is said so, whatever it is", async () => {
  const damaged = fc.oneof(fc.string(), fc.json());
  await fc.assert(
    fc.asyncProperty(damaged, async (text) => {
      await writeFile(path, text);
      await assert.rejects(loadVoterRecord(path), (error) => isHansaError(error, "STATE_DAMAGED"));
    }),
    { numRuns: 50 },
  );
});
