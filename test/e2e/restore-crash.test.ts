/** A daemon that is killed while it makes the store anew leaves the old one or the new one, whole, and nothing between. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { StoreView } from "../../src/api/store-schemas.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { eventually, hansa, hosts, launch, must } from "./cluster.ts";
import { got, put } from "./store-entries.ts";

const FILE = "/var/lib/hansa/prod.hansa";
/** Chosen over the whole of it; where they fall decides nothing but which of both is left. */
const KILLED_AFTER_MS = [100, 400, 700, 1000, 1500];

let playground: Playground;
let one: Host;

before(async () => {
  playground = await hosts("e2ecrash", 1);
  one = playground.host(1);
  await launch(one, 1);
  await must(one, "hansa", "create", "prod");
  await put(one, "motd", "saved");
  await must(one, "hansa", "backup", FILE);
});
after(() => playground?.down());

async function store(): Promise<StoreView> {
  const { stdout, stderr } = await hansa(one, "store", "-o", "json");
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

test("killed at any moment of a restore, the store is the former one or the next generation, and is written to again", async (context) => {
  for (const ms of KILLED_AFTER_MS) {
    await put(one, "motd", `before ${ms}`);
    const { generation } = await store();
    const restoring = hansa(one, "restore", FILE, "--yes");
    await setTimeout(ms);
    await must(one, "sh", "-c", "kill -9 $(cut -d' ' -f1 /run/hansa/daemon.pid)");
    const { status } = await restoring;
    const seen = await eventually("the store serves again", 60_000, async () => {
      const now = await store();
      return now.quorate && now.voters.length === 1 ? now : undefined;
    });
    context.diagnostic(`${ms} ms: exit ${status}, generation ${generation} -> ${seen.generation}`);
    const motd = await got(one, "motd");
    if (seen.generation === generation) assert.equal(motd, `before ${ms}`);
    else {
      assert.equal(seen.generation, generation + 1);
      assert.equal(motd, "saved");
    }
    await eventually("one folder of data is left, and no copy", 30_000, async () => {
      const left = await must(one, "sh", "-c", "cd /var/lib/hansa/store; ls -d data* *.copy; true");
      if (left.split("\n").length === 1) return true;
      throw new Error(left);
    });
  }
});
