/** For tests: one machine without a network, what others say to it, and what it says. Invariant: the same inputs give the same outputs. */
import type { Endpoint } from "../values/endpoint.ts";
import { seeded } from "../values/seeded-random.ts";
import { Membership, type MembershipOptions } from "./machine.ts";
import type { Alive, Message, RemoteMember } from "./message.ts";
import type { MembershipOutput } from "./step.ts";
import { messageSize } from "./wire/message-size.ts";

const VERSIONS = [2, 5, 5, 0, 0, 0] as const;
export const ME: Endpoint = { ip: "10.0.0.1", port: 6783 };

/** "me" at 10.0.0.1, alone, at time 0. */
export function machine(options: Partial<MembershipOptions> = {}): Membership {
  const base = {
    name: "me",
    endpoint: ME,
    meta: new Uint8Array(10),
    incarnation: 0,
    random: seeded(1),
    packetBudget: 1380,
    sizeOf: messageSize,
  };
  return new Membership({ ...base, ...options }, 0);
}

/** 10.0.0.`number`. */
export function at(number: number): Endpoint {
  return { ip: `10.0.0.${number}`, port: 6783 };
}

/** Says that a member lives at 10.0.0.`number`. */
export function alive(
  node: string,
  number: number,
  incarnation = 1,
  meta = new Uint8Array(),
): Alive {
  return { type: "alive", incarnation, node, endpoint: at(number), meta, versions: VERSIONS };
}

/** A member as a push/pull tells it, with incarnation 5. */
export function remote(node: string, number: number, state: RemoteMember["state"]): RemoteMember {
  const meta = new Uint8Array();
  return { name: node, endpoint: at(number), meta, incarnation: 5, state, versions: VERSIONS };
}

/** Hands `message` over as if it came from 10.0.0.2. */
export function hear(
  member: Membership,
  message: Message,
  nowMs = 0,
  from = at(2),
): MembershipOutput[] {
  return member.handle({ type: "packet", from, message }, nowMs);
}

/** What the events among `outputs` are. */
export function kinds(outputs: readonly MembershipOutput[]): string[] {
  return outputs.flatMap((output) => (output.type === "event" ? [output.event.kind] : []));
}

/** All messages in packets, or in those to `to`. */
export function sent(outputs: readonly MembershipOutput[], to?: Endpoint): Message[] {
  return outputs.flatMap((output) =>
    output.type === "packet" && (to === undefined || output.to.ip === to.ip) ? output.messages : [],
  );
}

/** Ticks until `nowMs` or an output that `isLast`, as a driver does, and returns all outputs. */
export function tickUntil(
  member: Membership,
  nowMs: number,
  isLast: (output: MembershipOutput) => boolean = () => false,
): MembershipOutput[] {
  const outputs: MembershipOutput[] = [];
  while (member.nextTickMs() <= nowMs && !outputs.some(isLast)) {
    outputs.push(...member.handle({ type: "tick" }, member.nextTickMs()));
  }
  return outputs;
}

/** How many packets go to `to`. */
export function packets(outputs: readonly MembershipOutput[], to: Endpoint): number {
  return outputs.filter((output) => output.type === "packet" && output.to.ip === to.ip).length;
}
