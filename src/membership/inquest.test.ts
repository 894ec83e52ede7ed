import assert from "node:assert/strict";
import { test } from "node:test";
import type { Endpoint } from "../values/endpoint.ts";
import { seeded } from "../values/seeded-random.ts";
import { Membership } from "./machine.ts";
import type { Ack, Message } from "./message.ts";
import type { MembershipOutput } from "./step.ts";
import { messageSize } from "./wire/message-size.ts";

const SUSPECT = 2;

interface World {
  /** With us and the suspect; 9 when left out. */
  readonly members?: number;
  /** Whether the relay with this number says that the suspect does not answer. */
  readonly witnesses?: (relay: number) => boolean;
  /** How often each of them says so. */
  readonly nacks?: number;
  /** Who says so, instead of the relay that was asked. */
  readonly liar?: number;
  /** How long after the first ping in vain the suspect answers again. */
  readonly wakesAfterMs?: number;
  /** How late our own ticks are. */
  readonly lateMs?: number;
  /** So long we stand still in the middle of the last round; the first that we do then is to read an ack of a probe of our own. */
  readonly stillMs?: number;
  readonly seed?: number;
  /** The suspect was held dead before, and refuted it. */
  readonly hasReturned?: boolean;
  /** The inquest comes before the suspicion is told. */
  readonly isDiscreet?: boolean;
}

/** One machine among others of which the suspect falls silent; says how long after the first ping in vain it held it dead, and when it first told of a suspicion. */
function silence(world: World) {
  const { witnesses = () => true, nacks = 1, liar } = world;
  const { wakesAfterMs = Infinity, lateMs = 0, stillMs = 0 } = world;
  const member = new Membership(
    {
      name: "n1",
      endpoint: at(1),
      meta: new Uint8Array(),
      incarnation: 0,
      random: seeded(world.seed ?? 3),
      packetBudget: 1380,
      sizeOf: messageSize,
      timing: world.isDiscreet ? { discreetAbove: 0 } : {},
    },
    0,
  );
  for (let number = 2; number <= (world.members ?? 9); number++) {
    const versions = [2, 5, 5, 0, 0, 0] as const;
    const [node, endpoint, meta] = [`n${number}`, at(number), new Uint8Array()];
    const message = { type: "alive", incarnation: 1, node, endpoint, meta, versions } as const;
    member.handle({ type: "packet", from: endpoint, message }, 0);
  }
  if (world.hasReturned) {
    const dead = { type: "dead", incarnation: 1, node: "n2", from: "n3" } as const;
    member.handle({ type: "packet", from: at(3), message: dead }, 0);
    const [endpoint, meta] = [at(2), new Uint8Array()];
    const versions = [2, 5, 5, 0, 0, 0] as const;
    const again = { type: "alive", incarnation: 2, node: "n2", endpoint, meta, versions } as const;
    member.handle({ type: "packet", from: endpoint, message: again }, 0);
  }
  let nowMs = 0;
  let pingedMs = Number.NaN;
  let pings = 0;
  let toldMs = Number.POSITIVE_INFINITY;
  let hasStood = false;
  const unanswered: number[] = [];
  const unread: { readonly seq: number; readonly to: number }[] = [];
  const hear = (message: Message, from: number) =>
    consider(member.handle({ type: "packet", from: at(from), message }, nowMs));
  const consider = (outputs: readonly MembershipOutput[]): boolean => {
    let isDead = false;
    for (const output of outputs) {
      if (output.type === "event" && output.event.kind === "dead") isDead = true;
      if (output.type !== "packet") continue;
      const to = Number(output.to.ip.split(".")[3]);
      for (const message of output.messages) {
        if (message.type === "suspect") toldMs = Math.min(toldMs, nowMs - pingedMs);
        if (message.type === "indirectPing" && witnesses(to)) {
          for (let times = 0; times < nacks; times++)
            isDead = hear({ type: "nack", seq: message.seq }, liar ?? to) || isDead;
        }
        if (message.type !== "ping") continue;
        if (to === SUSPECT) {
          if (Number.isNaN(pingedMs)) pingedMs = nowMs;
          pings++;
          unanswered.push(message.seq);
        } else if (stillMs > 0 && nowMs - pingedMs > 3_800 && !hasStood) {
          unread.push({ seq: message.seq, to });
        } else isDead = hear(ack(message.seq), to) || isDead;
      }
    }
    return isDead;
  };
  while (nowMs < 60_000) {
    nowMs = Math.max(nowMs, member.nextTickMs() + lateMs);
    if (stillMs > 0 && !hasStood && nowMs - pingedMs > 4_450) {
      hasStood = true;
      nowMs += stillMs;
      for (const { seq, to } of unread.splice(0)) {
        if (hear(ack(seq), to)) return { afterMs: nowMs - pingedMs, pings, toldMs };
      }
    }
    if (nowMs - pingedMs >= wakesAfterMs)
      for (const seq of unanswered.splice(0)) hear(ack(seq), SUSPECT);
    if (consider(member.handle({ type: "tick" }, nowMs)))
      return { afterMs: nowMs - pingedMs, pings, toldMs };
  }
  return { afterMs: Number.POSITIVE_INFINITY, pings, toldMs };
}

function at(number: number): Endpoint {
  return { ip: `10.0.0.${number}`, port: 6783 };
}

function ack(seq: number): Ack {
  return { type: "ack", seq, payload: new Uint8Array() };
}

test("a suspect that nobody reaches is held dead 4.5 s after the first ping in vain", () => {
  const { afterMs, pings } = silence({});
  assert.ok(afterMs > 4_400 && afterMs < 4_600, `${afterMs} ms`);
  // One of the probe, one with the relays', one each round; a probe of the next turn may come on top.
  assert.ok(pings >= 7 && pings <= 10, `${pings} pings`);
});

test("among more than 32 members it is 3.1 s, and where nobody could confirm memberlist's time", () => {
  const { afterMs, pings } = silence({ members: 40 });
  assert.ok(afterMs > 3_000 && afterMs < 3_200, `${afterMs} ms`);
  assert.ok(pings >= 5 && pings <= 7, `${pings} pings`);
  const three = silence({ members: 3 }).afterMs;
  assert.ok(three > 4_900 && three < 5_100, `${three} ms`);
});

test("without witnesses the suspicion takes its usual time", () => {
  const { afterMs } = silence({ witnesses: () => false });
  assert.ok(afterMs > 20_000, `${afterMs} ms`);
});

test("a single relay that says no is a witness when few were asked, not when many were", () => {
  assert.ok(silence({ witnesses: (relay) => relay === 5 }).afterMs > 5_000);
});

test("an answer, however late, ends the inquest", () => {
  const { afterMs } = silence({ wakesAfterMs: 3_500 });
  assert.ok(afterMs > 20_000, `${afterMs} ms`);
});

test("whoever is late itself concludes nothing", () => {
  const { afterMs } = silence({ lateMs: 150 });
  assert.ok(afterMs > 7_000, `${afterMs} ms`);
});

test("whoever stood still concludes nothing from the round in which it did", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { afterMs } = silence({ stillMs: 600, seed });
    assert.ok(afterMs > 4_450 + 600 + 600, `${afterMs} ms with seed ${seed}`);
  }
});

test("a relay's word counts once, however often it comes, and nobody else's does", () => {
  const once = silence({ witnesses: (relay) => relay === 5 }).afterMs;
  assert.equal(silence({ witnesses: (relay) => relay === 5, nacks: 3 }).afterMs, once);
  assert.ok(silence({ liar: 99 }).afterMs > 10_000);
});

test("who came back from the dead lately has memberlist's time, not an inquest's", () => {
  const { afterMs } = silence({ hasReturned: true });
  assert.ok(afterMs > 20_000, `${afterMs} ms`);
});

test("among few members the suspicion is told when the probe has failed", () => {
  const { toldMs } = silence({});
  assert.ok(toldMs > 900 && toldMs < 1_100, `${toldMs} ms`);
});

test("among many the inquest comes first: as quick a death, and nobody is told of a suspicion", () => {
  const { afterMs, toldMs } = silence({ isDiscreet: true });
  assert.ok(afterMs > 4_400 && afterMs < 4_600, `${afterMs} ms`);
  assert.equal(toldMs, Number.POSITIVE_INFINITY);
});

test("among many an answer before its end leaves no trace", () => {
  const { afterMs, toldMs } = silence({ isDiscreet: true, wakesAfterMs: 3_500 });
  assert.equal(afterMs, Number.POSITIVE_INFINITY);
  assert.equal(toldMs, Number.POSITIVE_INFINITY);
});

test("among many an inquest that cannot conclude ends in a suspicion that is told, and takes its usual time", () => {
  const { afterMs, toldMs } = silence({ isDiscreet: true, witnesses: () => false });
  assert.ok(toldMs > 4_000 && toldMs < 7_000, `${toldMs} ms`);
  assert.ok(afterMs > 20_000, `${afterMs} ms`);
});
