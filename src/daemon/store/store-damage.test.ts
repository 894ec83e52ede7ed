import assert from "node:assert/strict";
import { test } from "node:test";
import { HansaError } from "../../errors.ts";
import { ManualClock } from "../../host/clock.ts";
import { silentLogger } from "../../host/logger.ts";
import { StoreDamage } from "./store-damage.ts";

const PANIC = "panic: freepages: failed to get all reachable pages\n";

/** A vote whose etcd does not serve, with a log that the test writes. */
function sceneOf() {
  const scene = {
    ...{ log: [] as { readonly atMs: number; readonly text: string }[], readings: 0 },
    freeBytes: 1e9,
    ...{ isMajority: true, canRead: true, given: 0, clock: new ManualClock() },
    say: (text: string) => scene.log.push({ atMs: scene.clock.wallMs(), text }),
  };
  const damage = new StoreDamage({
    place: {
      freeBytes: async () => scene.freeBytes,
      logEnd: (nowMs) => nowMs,
      logSince: async (fromMs) => {
        scene.readings += 1;
        if (!scene.canRead) throw new HansaError("SYSTEMD_FAILED", "journalctl failed: no journal");
        const since = scene.log.filter(({ atMs }) => atMs >= fromMs);
        return since.map(({ text }) => text).join("");
      },
    },
    retreat: { putAway: async () => void scene.given++ },
    hasMajority: async () => scene.isMajority,
    ...{ clock: scene.clock, logger: silentLogger },
  });
  const lookFor = async (seconds: number): Promise<string | undefined> => {
    let sentence: string | undefined;
    for (let count = 0; count < seconds * 2; count++) {
      sentence = await damage.look();
      scene.clock.advance(500);
    }
    return sentence;
  };
  return { scene, damage, lookFor };
}

test("damage is judged by what etcd says after it stopped serving, and the vote is begun anew", async () => {
  const { scene, lookFor } = sceneOf();
  scene.say(PANIC);
  scene.clock.advance(1);
  assert.equal(await lookFor(30), undefined);
  assert.equal(scene.given, 0);
  scene.say(PANIC);
  await lookFor(6);
  assert.equal(scene.given, 1);
});

test("where the others are no majority status says so at each look, and the log is read now and then", async () => {
  const { scene, lookFor } = sceneOf();
  scene.isMajority = false;
  assert.equal(await lookFor(1), undefined);
  scene.say(PANIC);
  assert.match(`${await lookFor(60)}`, /^STORE_DAMAGED: .*freepages.*no majority$/);
  assert.ok(scene.readings <= 11, `${scene.readings}`);
  assert.equal(scene.given, 0);
});

test("on a full disk that is said at once, and what etcd says then is no damage, also when there is room again", async () => {
  const { scene, damage, lookFor } = sceneOf();
  scene.freeBytes = 3 * 1024 * 1024;
  assert.match(`${await damage.look()}`, /^STORE_DISK_FULL: .*full \(3 MiB left/);
  // The line that names the reason did not get into the log any more.
  scene.say(PANIC);
  assert.match(`${await lookFor(60)}`, /^STORE_DISK_FULL: /);
  scene.freeBytes = 1e9;
  scene.clock.advance(1);
  assert.equal(await lookFor(60), undefined);
  assert.equal(scene.given, 0);
});

test("a disk that has room for a moment, between two attempts of etcd's, is full all the same", async () => {
  const { scene, damage, lookFor } = sceneOf();
  scene.freeBytes = 3 * 1024 * 1024;
  assert.match(`${await damage.look()}`, /^STORE_DISK_FULL: /);
  damage.clear();
  scene.freeBytes = 1e9;
  assert.equal(damage.lately?.code, "STORE_DISK_FULL", "it served for a moment");
  assert.match(`${await lookFor(9)}`, /^STORE_DISK_FULL: .*3 MiB left/);
  assert.equal((await damage.fullDisk())?.code, "STORE_DISK_FULL");
  scene.clock.advance(2000);
  assert.equal(await damage.fullDisk(), undefined);
  assert.equal(damage.lately, undefined);
});

test("a log that cannot be read gives nothing up", async () => {
  const { scene, lookFor } = sceneOf();
  scene.canRead = false;
  scene.say(PANIC);
  assert.equal(await lookFor(60), undefined);
  assert.equal(scene.given, 0);
});
