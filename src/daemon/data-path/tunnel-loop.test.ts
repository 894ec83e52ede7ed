import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ipv4 } from "../../values/ipv4.ts";
import type { EnvelopeKind } from "../membership/envelope.ts";
import { until } from "../timing/until.ts";
import { TunnelLoop } from "./tunnel-loop.ts";

interface Sent {
  readonly kind: EnvelopeKind;
  readonly body: Uint8Array;
  readonly to: Ipv4;
}

function started(mtu = 1420): { loop: TunnelLoop; sent: Sent[]; changes: () => number } {
  const sent: Sent[] = [];
  let changes = 0;
  const loop = new TunnelLoop({
    self: 1,
    nodeAddress: (id) => (id >= 1 && id <= 1000 ? 0x0a200000 + id : undefined),
    mtu: () => mtu,
    send: (kind, body, to) => sent.push({ kind, body, to }),
    overdue: () => undefined,
    changed: () => changes++,
    looked: () => undefined,
    beat: () => undefined,
  });
  return { loop, sent, changes: () => changes };
}

const reply = (body: Uint8Array) =>
  ({ kind: "probe-reply", sender: 2, fingerprint: "00000002", body }) as const;

test("an answer out of the tunnel proves it; one from anywhere else proves nothing", async () => {
  const { loop, sent, changes } = started();
  loop.setPeers([2]);
  await until(() => sent.length > 0);
  const [{ kind, body, to }] = sent as [Sent];
  assert.deepEqual([kind, body.length, to], ["probe", 1300, 0x0a200002]);
  loop.receive(reply(body), "192.0.2.2");
  loop.receive({ ...reply(body), sender: 3 }, "10.32.0.3");
  loop.receive(reply(body.subarray(0, 3)), "10.32.0.2");
  assert.equal(loop.view(2).proved, false);
  loop.receive(reply(body), "10.32.0.2");
  assert.equal(loop.view(2).proved, true);
  assert.equal(changes(), 1);
  loop.close();
});

test("probes out of the tunnel are answered with the same bytes, others not", () => {
  const { loop, sent } = started();
  const probe = { ...reply(Buffer.from("nonce and more")), kind: "probe" } as const;
  loop.receive(probe, "192.0.2.2");
  assert.equal(sent.length, 0);
  loop.receive(probe, "10.32.0.2");
  assert.deepEqual(sent, [{ kind: "probe-reply", body: probe.body, to: 0x0a200002 }]);
});

test("senders without an address in the subnet and bodies beyond a packet are not answered", () => {
  const { loop, sent } = started();
  const probe = { ...reply(Buffer.alloc(8)), kind: "probe" } as const;
  for (const sender of [0, 1001, 65535]) loop.receive({ ...probe, sender }, "10.32.0.2");
  loop.receive({ ...probe, body: Buffer.alloc(20_000) }, "10.32.0.2");
  assert.deepEqual(sent, []);
});

test("a tunnel over loopback's huge MTU is proved with what one packet may carry", async () => {
  const { loop, sent } = started(65_000);
  loop.setPeers([2]);
  await until(() => sent.length > 0);
  assert.equal(sent[0]?.body.length, 8_900);
  loop.close();
});

test("the peer that has no address in the subnet is not probed", async () => {
  const { loop, sent } = started();
  loop.setPeers([2000, 2]);
  await until(() => sent.length > 1);
  assert.ok(sent.every(({ to }) => to === 0x0a200002));
  loop.close();
});
