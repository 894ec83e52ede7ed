/** What decodes may still be hostile: the machines behind the decoders take it from whoever holds the key, and keep their own promises. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addressPlan } from "../../src/ipam/address-plan.ts";
import { Addresses } from "../../src/ipam/addresses.ts";
import { decodeIpamMessage } from "../../src/ipam/message-codec.ts";
import { decodeEntries, encodeEntries, parsePersistedRings } from "../../src/ipam/ring-codec.ts";
import type { IpamInput } from "../../src/ipam/step.ts";
import { Membership } from "../../src/membership/machine.ts";
import type { MembershipInput } from "../../src/membership/step.ts";
import { encodeMessage } from "../../src/membership/wire/message-codec.ts";
import { messageSize } from "../../src/membership/wire/message-size.ts";
import { decodePacket, makeEnvelope } from "../../src/membership/wire/packet.ts";
import { decodeStreamMessage } from "../../src/membership/wire/stream-message.ts";
import { seeded } from "../../src/values/seeded-random.ts";
import { CAPTURES } from "./corpus.ts";
import { DECODERS } from "./decoders.ts";
import { mutated } from "./mutations.ts";

const CLEAR = makeEnvelope("", undefined);
const FROM = { ip: "127.0.0.9", port: 9 };
/** Small, so that it is reached. */
const BUDGET = 400;

const packets = mutated(CAPTURES.filter(({ kind }) => kind === "packet").map(({ bare }) => bare));
const streams = mutated(CAPTURES.filter(({ kind }) => kind === "stream").map(({ bare }) => bare));

/** What comes of hostile bytes once they are decoded. */
const said: fc.Arbitrary<readonly MembershipInput[]> = fc.oneof(
  packets.map((bytes) => {
    const decoded = decodePacket(bytes, CLEAR);
    const messages = decoded.ok ? decoded.messages : [];
    return messages.map((message): MembershipInput => ({ type: "packet", from: FROM, message }));
  }),
  streams.map((bytes): MembershipInput[] => {
    const message = decodeStreamMessage(bytes);
    return message?.type === "pushPull"
      ? [{ type: "remote-state", from: FROM, state: message.state }]
      : [];
  }),
);

test("membership takes whatever decodes: no exception, no lower incarnation, no packet above its budget", () => {
  const steps = fc.array(fc.tuple(said, fc.nat(3_000)), { maxLength: 40 });
  fc.assert(
    fc.property(steps, fc.nat(0xffff), (each, seed) => {
      let [nowMs, incarnation] = [0, 0];
      const machine = new Membership(
        {
          // The captures speak of "a" as one of theirs: here it is we who are meant.
          name: "a",
          endpoint: { ip: "127.0.0.1", port: 1 },
          meta: Buffer.alloc(0),
          incarnation: 0,
          random: seeded(seed),
          packetBudget: BUDGET,
          sizeOf: messageSize,
        },
        0,
      );
      for (const [inputs, passedMs] of each) {
        nowMs += passedMs;
        for (const input of [...inputs, { type: "tick" } as const]) {
          for (const output of machine.handle(input, nowMs)) {
            if (output.type === "incarnation") {
              assert.ok(output.value >= incarnation);
              incarnation = output.value;
            }
            if (output.type !== "packet") continue;
            const sizes = output.messages.map((message) => encodeMessage(message).length);
            const size = sizes.reduce((sum, one) => sum + one + 2, 2);
            // One message alone may be as long as what it answers: an ack carries back a payload.
            assert.ok(size <= BUDGET || output.messages.length === 1, `${size} bytes`);
          }
        }
      }
      assert.equal(machine.member("a")?.state, "alive");
    }),
    { numRuns: 300 },
  );
});

test("the address rings take whatever decodes: no exception, and what they write is rings", () => {
  const plan = addressPlan();
  const seeds = ["ipam/message-codec.ts decodeIpamMessage", "ipam/ring-codec.ts decodeEntries"].map(
    (name) => DECODERS.find((decoder) => decoder.name === name)?.seeds ?? [],
  );
  const [messages = [], entries = []] = seeds;
  const record = fc.record({
    start: fc.constantFrom(plan.dynamic.start, plan.fixed.start, plan.dynamic.start + 65_536),
    size: fc.constantFrom(1, 256, 65_536, 131_072),
    owner: fc.integer({ min: 1, max: 6 }),
    version: fc.constantFrom(0, 1, 2, 100, 2 ** 32 - 1),
    free: fc.constantFrom(0, 1, 65_536),
  });
  const input: fc.Arbitrary<IpamInput | undefined> = fc.oneof(
    fc
      .tuple(fc.integer({ min: 1, max: 6 }), mutated(messages))
      .map(([from, bytes]): IpamInput | undefined => {
        const message = decodeIpamMessage(plan, bytes);
        return message && { type: "message", from, message };
      }),
    fc
      .oneof(
        mutated(entries),
        fc.array(record, { maxLength: 5 }).map((records) =>
          encodeEntries(
            plan,
            records.map(({ size, ...rest }) => ({ ...rest, end: rest.start + size })),
          ),
        ),
      )
      .map((bytes): IpamInput | undefined => {
        const decoded = decodeEntries(plan, bytes);
        return decoded.ok ? { type: "entries", entries: decoded.entries } : undefined;
      }),
    fc.constant<IpamInput>({ type: "reachable", nodes: [2, 3, 4] }),
    fc.constant<IpamInput>({ type: "usage", free: 10, active: 5 }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(input, fc.nat(5_000)), { maxLength: 40 }), (steps) => {
      const addresses = new Addresses({ self: 1, plan, random: () => 0 });
      let nowMs = 0;
      addresses.handle({ type: "settled" }, nowMs);
      for (const [each, passedMs] of steps) {
        nowMs += passedMs;
        if (each !== undefined) addresses.handle(each, nowMs);
        addresses.handle({ type: "tick" }, nowMs);
        const written: unknown = JSON.parse(JSON.stringify(addresses.persisted()));
        assert.ok(parsePersistedRings(plan, written), JSON.stringify(written));
      }
    }),
    { numRuns: 300 },
  );
});
