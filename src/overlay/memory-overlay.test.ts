import assert from "node:assert/strict";
import { test } from "node:test";
import { desiredOverlay } from "./desired-overlay.ts";
import { sampleInput, sampleKey } from "./lab/sample-input.ts";
import { MemoryOverlay } from "./memory-overlay.ts";

test("the overlay in memory counts changes, loses its tunnel and tells when it is back", async () => {
  const overlay = new MemoryOverlay();
  const config = desiredOverlay(sampleInput({ version: "20.10.24", firewallBackend: "iptables" }));
  const secrets = { privateKey: sampleKey(1), pairKeys: {} };
  await overlay.set(config, secrets);
  assert.deepEqual((await overlay.set(structuredClone(config), secrets)).changed, []);
  assert.deepEqual([overlay.sets, overlay.changes], [2, 1]);
  let told = 0;
  const end = overlay.watch(() => {
    told += 1;
  });
  overlay.loseTunnel();
  await assert.rejects(overlay.set(config, secrets), { code: "OVERLAY_TUNNEL_MISSING" });
  overlay.tunnelBack();
  end();
  overlay.tunnelBack();
  assert.equal(told, 1);
  await overlay.set(config, secrets);
  assert.equal(overlay.changes, 2);
  assert.equal((await overlay.observe()).peers.length, 3);
});
