/** What the parts of one machine share. Owned by the machine; `nowMs` is set before each input. */
import type { Endpoint } from "../values/endpoint.ts";
import type { Awareness } from "./awareness.ts";
import type { DeadlineQueue } from "./deadline-queue.ts";
import type { MemberTable } from "./member-table.ts";
import type { Alive, Dead, MemberState, RemoteMember, Suspect } from "./message.ts";
import type { Outbox } from "./outbox.ts";
import type { MemberEvent } from "./step.ts";
import type { MembershipTiming } from "./timing.ts";

export interface Context {
  readonly name: string;
  /** Our own slot in the table. */
  readonly self: number;
  readonly timing: MembershipTiming;
  readonly random: () => number;
  readonly table: MemberTable;
  readonly outbox: Outbox;
  readonly awareness: Awareness;
  readonly deadlines: DeadlineQueue;
  /** A number for a ping, never used twice soon. */
  readonly nextSeq: () => number;
  nowMs: number;
  /** When we last began to run again after a standstill: what was waited for before may wait unread. */
  wokeMs: number;
  /** Set by a graceful leave, for good. */
  hasLeft: boolean;
}

/** The member of a slot as it travels in a push/pull. */
export function remoteMember({ table }: Context, slot: number): RemoteMember {
  const record = table.record(slot);
  const incarnation = table.incarnation(slot);
  const state = table.state(slot);
  const last = record.lastShown;
  if (last?.incarnation === incarnation && last.state === state) return last;
  const { name, endpoint, meta, versions } = record;
  record.lastShown = { name, endpoint, meta, incarnation, state, versions };
  return record.lastShown;
}

export function selfEndpoint({ table, self }: Context): Endpoint {
  return table.record(self).endpoint;
}

/** The alive message of a slot. */
export function aliveMessage({ table }: Context, slot: number): Alive {
  const { name: node, endpoint, meta, versions } = table.record(slot);
  return { type: "alive", incarnation: table.incarnation(slot), node, endpoint, meta, versions };
}

/** What we hold against a member that is not alive, said in our own name (a leave in its own). */
export function accusation({ table, name: from }: Context, slot: number): Suspect | Dead {
  const node = table.record(slot).name;
  const incarnation = table.incarnation(slot);
  const state = table.state(slot);
  if (state === "suspect") return { type: "suspect", incarnation, node, from };
  return { type: "dead", incarnation, node, from: state === "left" ? node : from };
}

export function emitEvent(
  context: Context,
  kind: MemberEvent["kind"],
  slot: number,
  extra: { readonly previous?: MemberState; readonly other?: Endpoint } = {},
): void {
  const member = remoteMember(context, slot);
  context.outbox.emit({ type: "event", event: { kind, member, ...extra } });
}
