import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { LATE_MS, LocalPorts } from "./local-ports.ts";

const DEADLINE_MS = 30_000;

async function until(what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  while (!condition()) {
    assert.ok(performance.now() < end, `waited ${DEADLINE_MS} ms for ${what}`);
    await delay(2);
  }
}

/** A socket in the tunnel's place, and the ports that stand for its peers. */
async function tunnelWithPorts(nowMs = () => 0) {
  const tunnel = createSocket("udp4");
  tunnel.bind(0, "127.0.0.1");
  await once(tunnel, "listening");
  const sent: string[] = [];
  const bound: number[] = [];
  const ports = new LocalPorts({
    tunnelPort: tunnel.address().port,
    nowMs,
    sent: (peer, datagram) => sent.push(`${peer} ${datagram}`),
    bound: (peer) => bound.push(peer),
  });
  const received: string[] = [];
  const heard = (text: string) => until(`"${text}"`, () => received.includes(text));
  tunnel.on("message", (datagram) => received.push(datagram.toString()));
  const close = () => {
    ports.close();
    tunnel.close();
  };
  return { tunnel, ports, sent, bound, received, heard, [Symbol.dispose]: close };
}

test("what a peer sends before its port is bound arrives, and what the tunnel sends there goes out", async () => {
  using at = await tunnelWithPorts();
  at.ports.deliver(7, Buffer.from("early"));
  await at.heard("early");
  assert.deepEqual(at.bound, [7]);
  const port = at.ports.portOf(7);
  assert.ok(port);
  const stranger = createSocket("udp4");
  await new Promise((resolve) => stranger.send("not from the tunnel", port, "127.0.0.1", resolve));
  stranger.close();
  at.tunnel.send("out", port, "127.0.0.1");
  at.ports.deliver(7, Buffer.from("again"));
  await at.heard("again");
  await until("what the tunnel sent", () => at.sent.length > 0);
  assert.deepEqual(at.sent, ["7 out"]);
});

test("after a return late datagrams are handed over for a while, and none once that is over", async () => {
  let nowMs = 1_000;
  using at = await tunnelWithPorts(() => nowMs);
  at.ports.hold(7);
  at.ports.deliver(7, Buffer.from("relayed"));
  await at.heard("relayed");
  at.ports.letGo(7);
  nowMs += LATE_MS;
  at.ports.deliver(7, Buffer.from("just in time"));
  await at.heard("just in time");
  nowMs += 1;
  at.ports.deliver(7, Buffer.from("too late"));
  at.ports.hold(7);
  at.ports.deliver(7, Buffer.from("relayed again"));
  await at.heard("relayed again");
  assert.deepEqual(at.received, ["relayed", "just in time", "relayed again"]);
});
