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

/** Two ends with a path of `delayMs` each way, the second up at `secondMs`, until `untilMs`; says what each packet was. */
function twoEnds(
  untilMs: number,
  arrives: (from: number, atMs: number) => boolean,
  { delayMs = 3, secondMs = 400 } = {},
) {
  const ends = [new TunnelProofs(100), new TunnelProofs(9_000)];
  ends[0]?.setPeers([1], 0);
  ends[1]?.setPeers([0], secondMs);
  const queue: {
    atMs: number;
    to: number;
    deliver: (proofs: TunnelProofs, nowMs: number) => void;
  }[] = [];
  const seen = { probes: 0, answers: 0, lost: [] as { end: number; atMs: number }[] };
  const send = (
    from: number,
    nowMs: number,
    deliver: (proofs: TunnelProofs, at: number) => void,
  ) => {
    if (arrives(from, nowMs)) queue.push({ atMs: nowMs + delayMs, to: 1 - from, deliver });
  };
  for (let nowMs = 0; nowMs <= untilMs; nowMs += 1) {
    for (const packet of queue.filter(({ atMs }) => atMs === nowMs)) {
      packet.deliver(ends[packet.to] as TunnelProofs, nowMs);
    }
    for (const [end, proofs] of ends.entries()) {
      const { probes, lost } = proofs.tick(nowMs);
      for (const _ of lost) seen.lost.push({ end, atMs: nowMs });
      for (const probe of probes) {
        if (nowMs > 10_000) seen.probes += 1;
        send(end, nowMs, (other, at) => {
          if (probe.wantsAnswer) {
            if (nowMs > 10_000) seen.answers += 1;
            send(1 - end, at, (self, back) => self.answered(1 - end, probe.nonce, back));
          }
          other.heard(end, probe, at);
        });
      }
    }
  }
  return { seen, ends };
}

test("the probes of two ends answer each other: one packet a second each way, and the round trip is right", () => {
  const { seen, ends } = twoEnds(70_000, () => true);
  assert.deepEqual(seen.lost, []);
  assert.ok(seen.probes >= 118 && seen.probes <= 150, `${seen.probes} probes in a minute`);
  assert.ok(seen.answers <= 6, `${seen.answers} answers in a minute`);
  for (const [end, proofs] of ends.entries()) {
    assert.ok(Math.abs((proofs.view(1 - end, 70_000).rttMs ?? 0) - 6) < 0.1);
  }
});

test("nodes that probe each other fall into step, at the same pace", () => {
  const ids = [1, 2, 3, 4];
  const nodes = new Map(ids.map((id) => [id, new TunnelProofs(id)]));
  const wakes: { readonly id: number; readonly atMs: number }[] = [];
  const arrivals: { readonly atMs: number; readonly deliver: (nowMs: number) => void }[] = [];
  for (let nowMs = 0; nowMs <= 30_000; nowMs += 1) {
    while ((arrivals[0]?.atMs ?? nowMs + 1) <= nowMs) arrivals.shift()?.deliver(nowMs);
    for (const [id, proofs] of nodes) {
      // Launched one after another.
      if (nowMs === id * 270)
        proofs.setPeers(
          ids.filter((each) => each !== id),
          nowMs,
        );
      if (proofs.nextTickMs() > nowMs) continue;
      const { probes, lost } = proofs.tick(nowMs);
      assert.deepEqual(lost, []);
      if (nowMs > 20_000) wakes.push({ id, atMs: nowMs });
      for (const { peer, wantsAnswer, ...body } of probes) {
        const deliver = (at: number): void => {
          nodes.get(peer)?.heard(id, { wantsAnswer, ...body }, at);
          if (wantsAnswer) proofs.answered(peer, body.nonce, at);
        };
        arrivals.push({ atMs: nowMs + 1, deliver });
      }
    }
  }
  const rounds = wakes.filter(({ atMs }, index) => atMs - (wakes[index - 1]?.atMs ?? 0) > 50);
  assert.ok(rounds.length >= 9 && rounds.length <= 11, `${rounds.length} rounds in 10 s`);
  assert.ok(wakes.length <= 4 * 11, `${wakes.length} wakes in 10 s`);
});

test("two ends far from each other keep the same pace, and see a cut within 3 s", () => {
  for (const delayMs of [250, 300, 500]) {
    for (const secondMs of [0, 300, 400, 600]) {
      const path = { delayMs, secondMs };
      const steady = twoEnds(30_000, () => true, path).seen;
      const cut = twoEnds(23_000, (_, nowMs) => nowMs < 20_000, path).seen;
      const what = JSON.stringify({ path, steady, cut });
      assert.deepEqual(steady.lost, [], what);
      assert.ok(steady.probes >= 38 && steady.probes <= 46, what);
      assert.equal(cut.lost.length, 2, what);
      for (const { atMs } of cut.lost) assert.ok(atMs > 20_000 && atMs <= 23_000, what);
    }
  }
});

test("any one lost packet loses no tunnel", () => {
  for (const from of [0, 1]) {
    for (let at = 20_000; at < 21_000; at += 50) {
      let dropped = 0;
      const { seen } = twoEnds(26_000, (sender, nowMs) => {
        const drops = sender === from && nowMs >= at && dropped === 0;
        if (drops) dropped += 1;
        return !drops;
      });
      assert.deepEqual(seen.lost, [], `one from ${from} at ${at}`);
    }
  }
});

test("both ends see a cut within 2.5 s, and a path that is cut one way within 3.5 s", () => {
  for (const [arrives, withinMs] of [
    [() => false, 2_500],
    [(from: number) => from === 1, 3_500],
  ] as const) {
    const { seen } = twoEnds(30_000, (from, nowMs) => nowMs < 20_000 || arrives(from));
    assert.deepEqual(new Set(seen.lost.map(({ end }) => end)), new Set([0, 1]));
    for (const { end, atMs } of seen.lost.slice(0, 2)) {
      assert.ok(atMs <= 20_000 + withinMs, `end ${end} at ${atMs}`);
    }
  }
});
