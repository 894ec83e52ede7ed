import assert from "node:assert/strict";
import { test } from "node:test";
import { seeded } from "../values/seeded-random.ts";
import { Membership } from "./machine.ts";
import { messageSize } from "./wire/message-size.ts";

const PEER = { ip: "10.0.0.2", port: 6783 };
const NO_META = new Uint8Array();

/** A member that knows one other and exchanges states every hour only; says when it does so within ten seconds of the announcement. */
function syncsAfterAnnouncing(meta: Uint8Array, ip: string): number | undefined {
  const member = new Membership(
    {
      name: "me",
      endpoint: { ip: "127.0.0.1", port: 6783 },
      meta: NO_META,
      incarnation: 0,
      random: seeded(5),
      packetBudget: 1380,
      sizeOf: messageSize,
      timing: { pushPullIntervalMs: 3_600_000, probeIntervalMs: 3_600_000 },
    },
    0,
  );
  const versions = [2, 5, 5, 0, 0, 0] as const;
  const alive = {
    type: "alive",
    incarnation: 1,
    node: "b",
    endpoint: PEER,
    meta: NO_META,
    versions,
  } as const;
  member.handle({ type: "packet", from: PEER, message: alive }, 0);
  const run = (fromMs: number, toMs: number): number | undefined => {
    for (let nowMs = fromMs; nowMs < toMs; nowMs = Math.max(nowMs + 1, member.nextTickMs())) {
      const outputs = member.handle({ type: "tick" }, nowMs);
      if (outputs.some(({ type }) => type === "sync")) return nowMs - fromMs;
    }
    return undefined;
  };
  // The syncs that follow the growth from one member to two.
  for (let syncs = 0; syncs < 10; syncs++) run(syncs * 6_000, (syncs + 1) * 6_000);
  member.handle({ type: "announce", meta, endpoint: { ip, port: 6783 } }, 60_000);
  return run(60_000, 70_000);
}

test("who announces another address exchanges states within 1.5 s: what was sent to the old one is lost", () => {
  const afterMs = syncsAfterAnnouncing(NO_META, "10.0.0.1");
  assert.ok(afterMs !== undefined && afterMs <= 1_500, `${afterMs} ms`);
});

test("other metadata alone is left to gossip", () => {
  assert.equal(syncsAfterAnnouncing(Uint8Array.of(1), "127.0.0.1"), undefined);
});
