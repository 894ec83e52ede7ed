/** Nothing that is not authenticated changes anything, however real it looks, and every refusal is counted. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { eventually, type Node, startNode, view } from "../../src/gossip/recording-delegate.ts";
import { makeKeyring, seal } from "../../src/membership/wire/security.ts";
import type { Endpoint } from "../../src/values/endpoint.ts";
import { closed } from "../closed.ts";
import { CAPTURES, type Capture } from "./corpus.ts";
import { mutated } from "./mutations.ts";

const SEALED = CAPTURES.filter(({ name }) => name.startsWith("sealed"));
const CLEAR = CAPTURES.filter(({ envelope }) => envelope.keyring === undefined);
/** The key of the captures, see test/interop/capture.ts. */
const CAPTURED_KEY = Buffer.from([...Array(32).keys()]);

test("real packets of another cluster, or in clear, change nothing and are counted", async () => {
  await using node = await startNode("a", { label: "" });
  const packets = [...SEALED, ...CLEAR].filter(({ kind }) => kind === "packet");
  await sendPackets(
    node,
    packets.map(({ bytes }) => bytes),
  );
  untouched(node);
  assert.equal(node.gossip.counters()["rejectedAuthentication"], packets.length);
});

test("real packets with the right key and one bit changed, cut or lengthened change nothing and are counted", async () => {
  await using node = await startNode("a", { label: "", keys: [CAPTURED_KEY] });
  const changed: Buffer[] = [];
  for (const { bytes } of SEALED.filter(({ kind }) => kind === "packet")) {
    for (let at = 0; at < bytes.length; at += 5) {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ (1 << (at & 7));
      changed.push(copy, bytes.subarray(0, at));
    }
    changed.push(Buffer.concat([bytes, Buffer.of(0)]));
  }
  await sendPackets(node, changed);
  untouched(node);
  assert.equal(rejections(node), changed.length);
});

test("real streams of another cluster, in clear, or with one bit changed change nothing and are counted", async () => {
  await using stranger = await startNode("a", { label: "" });
  await using holder = await startNode("a", { label: "", keys: [CAPTURED_KEY] });
  const streams = (captures: readonly Capture[]) =>
    captures.filter(({ kind }) => kind === "stream").map(({ bytes }) => bytes);
  const foreign = [...streams(SEALED), ...streams(CLEAR)];
  await Promise.all(foreign.map((bytes) => sendStream(stranger.at, bytes)));
  await eventually("all counted", () => rejections(stranger) === foreign.length);
  untouched(stranger);
  const changed = streams(SEALED).flatMap((bytes) => {
    return [5, 17, 18 + (bytes.length >> 1), bytes.length - 1].map((at) => {
      const copy = Buffer.from(bytes);
      copy[Math.min(at, bytes.length - 1)]! ^= 4;
      return copy;
    });
  });
  for (let at = 0; at < changed.length; at += 15) {
    await Promise.all(changed.slice(at, at + 15).map((bytes) => sendStream(holder.at, bytes)));
  }
  await eventually("all counted too", () => rejections(holder) === changed.length, 20_000);
  untouched(holder);
});

test("whoever has the key and sends nonsense made of real packets breaks nothing but its own credit", async () => {
  await using node = await startNode("a", { label: "", keys: [CAPTURED_KEY] });
  const keyring = makeKeyring([CAPTURED_KEY]);
  const plains = CAPTURES.filter(({ kind }) => kind === "packet").map(({ plain }) => plain);
  const nonsense = fc.sample(mutated(plains), { numRuns: 1_500, seed: 1 }).map((plain) => {
    return Buffer.from(
      seal(keyring, plain, new Uint8Array(0), crypto.getRandomValues(new Uint8Array(12))),
    );
  });
  await sendPackets(node, nonsense);
  const counters = node.gossip.counters();
  assert.equal(counters["rejectedAuthentication"], 0);
  assert.ok((counters["rejectedMalformed"] ?? 0) > 50 && (counters["messagesIgnored"] ?? 0) > 0);
  const { incarnations } = node.delegate;
  assert.deepEqual(
    incarnations,
    incarnations.toSorted((a, b) => a - b),
  );
  await using other = await startNode("b", { label: "", keys: [CAPTURED_KEY] });
  assert.ok((await other.gossip.join(node.at)).ok);
  await eventually("it goes on", () => other.gossip.member("a")?.state === "alive");
});

function untouched(node: Node): void {
  const { events, users, merged, incarnations, synchronised } = node.delegate;
  assert.equal(view(node), "a alive");
  assert.deepEqual([events, users, merged, synchronised], [[], [], [], []]);
  assert.deepEqual(incarnations, [1]);
}

function rejections(node: Node): number {
  const counters = node.gossip.counters();
  const kinds = ["rejectedAuthentication", "rejectedLabel", "rejectedMalformed"];
  const counted = kinds.reduce((sum, kind) => sum + (counters[kind] ?? 0), 0);
  assert.equal(counted, node.delegate.rejections.length);
  return counted;
}

/** Resolves when the node has read all of `packets`. */
async function sendPackets(node: Node, packets: readonly Uint8Array[]): Promise<void> {
  const socket = createSocket("udp4");
  let sent = 0;
  for (const bytes of packets) {
    await new Promise((resolve) => socket.send(bytes, node.at.port, node.at.ip, resolve));
    sent += 1;
    // The kernel's buffer is not to run over.
    if (sent % 200 > 0 && sent < packets.length) continue;
    await eventually("all read", () => (node.gossip.counters()["packetsIn"] ?? 0) >= sent);
  }
  socket.close();
}

async function sendStream(to: Endpoint, bytes: Uint8Array): Promise<void> {
  const socket = connect(to.port, to.ip);
  socket.end(bytes);
  await closed(socket);
}
