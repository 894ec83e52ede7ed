/** Replays: who has seen everything once is changed by none of it again, in any order, now or later. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Membership } from "../../src/membership/machine.ts";
import type { Message, PushPull, Versions } from "../../src/membership/message.ts";
import type { MembershipInput, MembershipOutput } from "../../src/membership/step.ts";
import { messageSize } from "../../src/membership/wire/message-size.ts";
import { decodePacket } from "../../src/membership/wire/packet.ts";
import { decodeStreamMessage } from "../../src/membership/wire/stream-message.ts";
import { seeded } from "../../src/values/seeded-random.ts";
import { CAPTURES } from "./corpus.ts";

const FROM = { ip: "127.0.0.9", port: 9 };
const VERSIONS: Versions = [1, 5, 2, 0, 0, 0];
const NAMES = ["self", "a", "b", "c"] as const;

const name = fc.constantFrom(...NAMES);
const incarnation = fc.nat(4);
const endpoint = fc
  .tuple(fc.nat(1), fc.integer({ min: 1, max: 3 }))
  .map(([host, port]) => ({ ip: `127.0.0.${host + 1}`, port }));
const member = fc.record({
  name,
  endpoint,
  incarnation,
  meta: fc.constantFrom(Buffer.alloc(0), Buffer.from("meta")),
  state: fc.constantFrom("alive" as const, "suspect" as const, "dead" as const, "left" as const),
  versions: fc.constant(VERSIONS),
});

const input: fc.Arbitrary<MembershipInput> = fc.oneof(
  member.map(({ name: node, state, ...facts }): MembershipInput => {
    const { incarnation: value } = facts;
    if (state === "alive") return packet({ type: "alive", node, ...facts });
    if (state === "suspect")
      return packet({ type: "suspect", incarnation: value, node, from: "b" });
    return packet({ type: "dead", incarnation: value, node, from: state === "left" ? node : "c" });
  }),
  fc
    .array(member, { maxLength: 4 })
    .map((members) => remote({ join: false, members, userState: Buffer.alloc(0) })),
  fc
    .record({ seq: fc.nat(5), node: name, sourceNode: name })
    .map((ping) => packet({ type: "ping", ...ping, source: FROM })),
  fc.nat(5).map((seq) => packet({ type: "ack", seq, payload: Buffer.alloc(0) })),
  fc.nat(5).map((seq) => packet({ type: "nack", seq })),
);

test("whatever was said, saying it again in any order changes nobody", () => {
  fc.assert(
    fc.property(
      fc.array(input, { maxLength: 40 }),
      fc.array(fc.nat(), { maxLength: 60 }),
      (said, again) => {
        const replayed = again
          .map((index) => said[index % Math.max(1, said.length)])
          .filter((each) => each !== undefined);
        changesNobody(said, replayed);
      },
    ),
    { numRuns: 400 },
  );
});

test("all that memberlist sent, captured and sent again, changes nobody", () => {
  const inputs = CAPTURES.flatMap(inputsOf);
  assert.ok(inputs.length > 100);
  changesNobody(inputs, inputs.toReversed());
});

test("an indirect ping or an accusation sent a thousand times costs a bounded number of packets", () => {
  const machine = makeMachine();
  const flood = (message: Message) => {
    const outputs: MembershipOutput[] = [];
    for (let times = 0; times < 1_000; times++) outputs.push(...machine.handle(packet(message), 1));
    return outputs.filter(({ type }) => type === "packet").length;
  };
  const target = { ip: "127.0.0.3", port: 3 };
  const indirect = { type: "indirectPing", seq: 1, node: "c", target, nack: true } as const;
  assert.ok(flood(indirect) <= 256);
  machine.handle(packet({ type: "suspect", incarnation: 1, node: "self", from: "a" }), 1);
  assert.ok(flood({ type: "suspect", incarnation: 1, node: "self", from: "a" }) <= 8);
});

test("old suspicions of all others in one packet, replayed, cost a bounded number of answers a second", () => {
  const machine = makeMachine();
  const meta = Buffer.alloc(200);
  const names = Array.from({ length: 39 }, (_, index) => `n${index}`);
  for (const [index, node] of names.entries()) {
    const facts = { node, endpoint: { ip: "127.0.0.3", port: index + 10 }, meta };
    machine.handle(packet({ type: "alive", incarnation: 5, versions: VERSIONS, ...facts }), 1);
  }
  for (let second = 1; second <= 3; second++) {
    let answers = 0;
    for (let times = 0; times < 20; times++) {
      for (const node of names) {
        const stale = { type: "suspect", incarnation: 4, node, from: "n1" } as const;
        const outputs = machine.handle(packet(stale), second * 1_000 + times);
        answers += outputs.filter((each) => each.type === "packet" && each.to === FROM).length;
      }
    }
    assert.equal(answers, 8, `in second ${second}`);
  }
});

/** Feeds `said` until it has settled, then `replayed`, at once and a minute later. */
function changesNobody(
  said: readonly MembershipInput[],
  replayed: readonly MembershipInput[],
): void {
  const machine = makeMachine();
  // A word of somebody who is met only later counts the second time; after the third all is as bad as it gets.
  for (let round = 0; round < 3; round++) for (const each of said) machine.handle(each, 0);
  unchangedBy(machine, replayed, 0);
  let nowMs = 0;
  while (nowMs < 60_000 && machine.nextTickMs() < 60_000) {
    nowMs = Math.max(nowMs, machine.nextTickMs());
    machine.handle({ type: "tick" }, nowMs);
  }
  unchangedBy(machine, replayed, nowMs);
}

function unchangedBy(machine: Membership, inputs: readonly MembershipInput[], nowMs: number): void {
  const before = machine.members();
  for (const each of inputs) {
    const outputs = machine.handle(each, nowMs);
    assert.deepEqual(machine.members(), before, JSON.stringify(each));
    for (const output of outputs) {
      assert.ok(output.type !== "incarnation", "a new incarnation");
      assert.ok(output.type !== "event" || output.event.kind === "conflict", "an event");
    }
  }
}

function makeMachine(): Membership {
  const machine = new Membership(
    {
      name: "self",
      endpoint: { ip: "127.0.0.1", port: 1 },
      meta: Buffer.alloc(0),
      incarnation: 0,
      random: seeded(1),
      packetBudget: 1_371,
      sizeOf: messageSize,
    },
    0,
  );
  machine.handle({ type: "tick" }, 0);
  return machine;
}

function inputsOf({ kind, plain }: (typeof CAPTURES)[number]): MembershipInput[] {
  if (kind === "stream") {
    const message = decodeStreamMessage(plain);
    return message?.type === "pushPull" ? [remote(message.state)] : [];
  }
  const clear = {
    label: "",
    header: plain.subarray(0, 0),
    aad: plain.subarray(0, 0),
    keyring: undefined,
  };
  const decoded = decodePacket(plain, clear);
  return decoded.ok ? decoded.messages.map(packet) : [];
}

function packet(message: Message): MembershipInput {
  return { type: "packet", from: FROM, message };
}

function remote(state: PushPull): MembershipInput {
  return { type: "remote-state", from: FROM, state };
}
