import assert from "node:assert/strict";
import { test } from "node:test";
import { TunnelProofs } from "./tunnel-proof.ts";

test("only a full-size answer proves a tunnel", () => {
  const proofs = new TunnelProofs(7);
  proofs.setPeers([2], 0);
  const [full] = proofs.tick(0).probes;
  const [small] = proofs.tick(100).probes;
  assert.equal(full?.full, true);
  assert.equal(small?.full, false);
  assert.equal(proofs.answered(2, small?.nonce ?? 0, 101), false);
  assert.deepEqual(proofs.view(2, 150), {
    proved: false,
    smallOnly: true,
    rttMs: 1,
    isLost: false,
  });
  assert.equal(proofs.answered(2, full?.nonce ?? 0, 160), true);
  assert.equal(proofs.view(2, 160).proved, true);
});

test("a proved tunnel without answers is lost 2.4 s after the last one", () => {
  const proofs = new TunnelProofs(0);
  proofs.setPeers([2], 0);
  const [probe] = proofs.tick(0).probes;
  proofs.answered(2, probe?.nonce ?? 0, 1);
  let now = 1;
  while (now < 10_000) {
    now = proofs.nextTickMs();
    if (proofs.tick(now).lost.includes(2)) break;
  }
  assert.equal(now, 2_401);
  assert.equal(proofs.view(2, now).proved, false);
});

test("answers with a nonce never sent, or sent to another, prove nothing", () => {
  const proofs = new TunnelProofs(0);
  proofs.setPeers([2, 3], 0);
  const { probes } = proofs.tick(0);
  const toThree = probes.find((probe) => probe.peer === 3);
  assert.equal(proofs.answered(2, toThree?.nonce ?? 0, 1), false);
  assert.equal(proofs.answered(2, 999, 1), false);
  assert.equal(proofs.view(2, 1).proved, false);
});

test("the pace falls from ten probes a second to one", () => {
  const proofs = new TunnelProofs(0);
  proofs.setPeers([2], 0);
  let count = 0;
  for (let now = 0; now <= 10_000; now = proofs.nextTickMs())
    count += proofs.tick(now).probes.length;
  assert.ok(count >= 35 && count <= 41, `${count} probes in 10 s`);
});

test("probes of proved tunnels go out together, whenever they were proved", () => {
  const proofs = new TunnelProofs(0);
  const wakes = new Map<number, number>();
  proofs.setPeers([2], 0);
  for (let now = 0; now <= 20_000; now = Math.max(now + 1, proofs.nextTickMs())) {
    if (now >= 430) proofs.setPeers([2, 3, 4], now);
    const { probes, lost } = proofs.tick(now);
    assert.deepEqual(lost, []);
    for (const { peer, nonce } of probes) proofs.answered(peer, nonce, now);
    const second = Math.floor(now / 1000);
    if (probes.length > 0) wakes.set(second, (wakes.get(second) ?? 0) + 1);
  }
  assert.equal(wakes.get(18), 1);
});

test("a tunnel counts as lost once a repeated handshake had its time, and no more when it is tried anew", () => {
  const proofs = new TunnelProofs(0);
  proofs.setPeers([2], 0);
  assert.equal(proofs.view(2, 5_000).isLost, false);
  assert.equal(proofs.view(2, 5_001).isLost, true);
  proofs.restart(2, 5_001);
  assert.equal(proofs.view(2, 5_002).isLost, false);
});
