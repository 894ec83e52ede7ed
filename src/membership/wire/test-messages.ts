/** Arbitrary messages and members for property tests of the wire format. Only tests import this. */
import fc from "fast-check";
import { bytesToIp } from "../../values/ip-bytes.ts";
import type { Message, PushPull, RemoteMember, Versions } from "../message.ts";

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const name = fc.string({ minLength: 1, maxLength: 60, unit: "grapheme" });
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const version = fc.integer({ min: 0, max: 255 });
const versions: fc.Arbitrary<Versions> = fc.tuple(
  version,
  version,
  version,
  version,
  version,
  version,
);
const ip = fc
  .oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  )
  .map((raw) => bytesToIp(raw) ?? "");
const endpoint = fc.record({ ip, port: fc.integer({ min: 1, max: 65_535 }) });
const source = fc.record({ source: endpoint, sourceNode: name }, { requiredKeys: [] });

/** Each kind of message, with fields of all sizes. */
export const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  fc
    .tuple(fc.record({ type: fc.constant("ping" as const), seq: uint32, node: name }), source)
    .map(([ping, from]) => ({ ...ping, ...from })),
  fc
    .tuple(
      fc.record({
        type: fc.constant("indirectPing" as const),
        seq: uint32,
        target: endpoint,
        node: name,
        nack: fc.boolean(),
      }),
      source,
    )
    .map(([ping, from]) => ({ ...ping, ...from })),
  fc.record({ type: fc.constant("ack" as const), seq: uint32, payload: bytes(300) }),
  fc.record({ type: fc.constant("nack" as const), seq: uint32 }),
  fc.record({
    type: fc.constantFrom("suspect" as const, "dead" as const),
    incarnation: uint32,
    node: name,
    from: name,
  }),
  fc.record({
    type: fc.constant("alive" as const),
    incarnation: uint32,
    node: name,
    endpoint,
    meta: bytes(512),
    versions,
  }),
  fc.record({ type: fc.constant("user" as const), payload: bytes(1200) }),
  fc.record({ type: fc.constant("error" as const), text: name }),
);

const member: fc.Arbitrary<RemoteMember> = fc.record({
  name,
  endpoint,
  meta: bytes(512),
  incarnation: uint32,
  state: fc.constantFrom("alive" as const, "suspect" as const, "dead" as const, "left" as const),
  versions,
});

export const anyPushPull: fc.Arbitrary<PushPull> = fc.record({
  join: fc.boolean(),
  members: fc.array(member, { maxLength: 20 }),
  userState: bytes(2000),
});

/** A value in which all byte arrays, of whatever class, compare as equal when their bytes are. */
export function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, comparable(part)]));
}
