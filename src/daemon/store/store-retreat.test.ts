import assert from "node:assert/strict";
import { test } from "node:test";
import { HansaError, isHansaError } from "../../errors.ts";
import { ManualClock } from "../../host/clock.ts";
import { silentLogger } from "../../host/logger.ts";
import type { StoreCopy } from "../../store/store-copy.ts";
import type { StoreBackups } from "./store-backups.ts";
import { StoreRetreat } from "./store-retreat.ts";

const STORE = { id: "a1", name: "prod", generation: 1 };

/** A vote whose etcd does not answer until `answers` is set. */
function sceneOf() {
  const scene = { answers: false, done: [] as string[], clock: new ManualClock() };
  const { done, clock } = scene;
  const retreat = new StoreRetreat({
    place: {
      record: { version: 1, store: STORE },
      fence: async () => void done.push("fenced"),
      keep: async () => undefined,
      end: async () => void done.push("ended"),
      moveData: async (path) => void done.push(`moved to ${path}`),
      copy: async (): Promise<StoreCopy> => {
        done.push("asked");
        if (scene.answers) return { store: STORE, revision: 7n, takenAtMs: 0, entries: [] };
        throw new HansaError("STORE_UNREACHABLE", "connection refused");
      },
    },
    backups: {
      write: async () => "prod.hansa",
      folder: async () => "prod.etcd",
    } as unknown as StoreBackups,
    membership: { setStore: () => undefined },
    ...{ clock, logger: silentLogger },
  });
  return { scene, retreat };
}

const isSilent = (error: unknown): boolean => isHansaError(error, "STORE_UNREACHABLE");

test("an etcd that only starts is waited for, and what it has goes into a file", async () => {
  const { scene, retreat } = sceneOf();
  await assert.rejects(retreat.putAway(), isSilent);
  assert.deepEqual(scene.done, ["fenced", "asked"], "fenced before anything, also while it waits");
  scene.clock.advance(20_000);
  await assert.rejects(retreat.putAway(), isSilent);
  scene.answers = true;
  scene.done.length = 0;
  await retreat.putAway();
  assert.deepEqual(scene.done, ["fenced", "asked", "ended"]);
  assert.match(`${retreat.sentence}`, /was put into prod\.hansa$/);
});

test("the data of one that does not answer in 30 s is kept as it lies, and status says so", async () => {
  const { scene, retreat } = sceneOf();
  await assert.rejects(retreat.putAway(), isSilent);
  scene.clock.advance(30_000);
  scene.done.length = 0;
  await retreat.putAway();
  assert.deepEqual(scene.done, ["fenced", "asked", "moved to prod.etcd", "ended"]);
  assert.match(`${retreat.sentence}`, /lies in the folder prod\.etcd as etcd left it/);
});
