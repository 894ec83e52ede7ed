import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, before, beforeEach, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { HansaError, isHansaError } from "../../errors.ts";
import { hansaPaths, type Paths } from "../../processes/paths.ts";
import { storeRuns } from "../../processes/store-service.ts";
import type { StoreCopy } from "../../store/store-copy.ts";
import { type StoreTls, storeTls } from "../../store/store-tls.ts";
import { VoterPlace } from "./voter-place.ts";

const FORMER = { id: "3f1c0d2b9a8e7f65", name: "prod", generation: 1 };
const NEXT = { id: `${FORMER.id}6543210000000001`, name: "prod", generation: 2 };
const COPY: StoreCopy = { store: FORMER, revision: 7n, takenAtMs: 0, entries: [] };
/** Against hanging. */
const PATIENCE_MS = 120_000;

let root: string;
let tls: StoreTls;
let paths: Paths;
let place: VoterPlace;

before(async () => {
  tls = await storeTls([new Uint8Array(32).fill(7)], ["127.0.0.1"]);
});

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "hansa-refound-"));
  paths = hansaPaths({ HANSA_ROOT: root });
  const store = join(paths.stateDir, "store");
  const programs = join(root, "programs");
  for (const dir of [join(store, "data/member/wal"), programs, paths.runDir, paths.logDir]) {
    await mkdir(dir, { recursive: true });
  }
  // An etcd that runs and never answers.
  await writeFile(join(programs, "etcd"), "#!/bin/sh\nexec sleep 100000\n", { mode: 0o755 });
  const record = { version: 1, store: FORMER, settled: true };
  await writeFile(join(store, "store.json"), JSON.stringify(record));
  await writeFile(join(store, "data/member/wal/log"), "all that was promised");
  place = await VoterPlace.load({
    ...{ paths, folders: [programs], ports: { raft: 0, store: 0 } },
    ...{ ip: "127.0.0.1", name: "1-0", tls: async () => tls },
  });
});
afterEach(async () => {
  await place.end();
  await rm(root, { recursive: true });
});

async function requireFormer(): Promise<void> {
  assert.deepEqual(place.record?.store, FORMER);
  const { store } = JSON.parse(await readFile(join(paths.stateDir, "store/store.json"), "utf8"));
  assert.deepEqual(store, FORMER);
  const log = join(paths.stateDir, "store/data/member/wal/log");
  assert.equal(await readFile(log, "utf8"), "all that was promised");
  assert.equal(existsSync(join(paths.stateDir, "store/store.copy")), false);
}

test("a voter that is fenced while it makes the store anew gives up at once, and is what it was", async () => {
  const made = place.refound(NEXT, COPY, { keep: undefined, refuse: () => undefined });
  const refused = assert.rejects(made, (error) => isHansaError(error, "STORE_REFUSED"));
  const endMs = performance.now() + PATIENCE_MS;
  while (storeRuns(paths) !== true || place.record?.filling !== true) {
    assert.ok(performance.now() < endMs, "no etcd was started");
    await setTimeout(20);
  }
  place.isFenced = true;
  await refused;
  await requireFormer();
  assert.equal(place.isFenced, false);
});

test("who came since the former part was looked at is heard of before anything is made, and an older fence stays", async () => {
  for (const wasFenced of [false, true]) {
    place.isFenced = wasFenced;
    const news = new HansaError("STORE_REFUSED", "a store of generation 2 came up meanwhile");
    const refuse = (): void => {
      assert.deepEqual([place.record?.store, place.isFenced], [NEXT, false]);
      throw news;
    };
    await assert.rejects(place.refound(NEXT, COPY, { keep: undefined, refuse }), news);
    await requireFormer();
    assert.equal(place.isFenced, wasFenced);
  }
});
