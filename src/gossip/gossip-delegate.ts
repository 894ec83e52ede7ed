/** What the layer above gives to the gossip driver, and what it is told. Types only. */
import type { MemberView } from "../membership/machine.ts";
import type { RemoteMember } from "../membership/message.ts";
import type { MemberEvent } from "../membership/step.ts";
import type { MembershipTiming } from "../membership/timing.ts";
import type { Refusal } from "../membership/wire/packet.ts";
import type { Endpoint } from "../values/endpoint.ts";

export type { MemberEvent, MemberView, RemoteMember };

/**
 * Called from the driver's socket events, one call at a time; each may call back into the driver. What a delegate throws is
 * not caught here, so hostile bytes in states and payloads (their sender had the key) are the delegate's to bound.
 */
export interface GossipDelegate {
  /** Our user state for one push/pull; with the members it must stay below 10 MiB. */
  localState(join: boolean): Uint8Array;
  /** The other side's user state; not called when it has none. The bytes are only good during the call. */
  mergeRemoteState(state: Uint8Array, join: boolean, from: Endpoint): void;
  /** A user message. The bytes are only good during the call. A packet may come twice, a replayed one long after. */
  userMessage(payload: Uint8Array, from: Endpoint, via: "packet" | "stream"): void;
  memberEvent(event: MemberEvent): void;
  /** Must be on disk when it returns: what is sent next relies on it. */
  persistIncarnation(value: number): void;
  /**
   * After each completed push/pull. `from` is the address that we dialled, or where the other side's connection came
   * from: its port is of no use then.
   */
  synced(from: Endpoint, members: readonly RemoteMember[]): void;
  /** Something was dropped unread. May come thousands of times a second; the caller bounds its rows. */
  rejected(from: Endpoint, reason: Refusal): void;
}

export interface GossipOptions {
  readonly name: string;
  /** Where to listen, UDP and TCP; `ip` may be 0.0.0.0 or :: (both families). Port 0 takes any that is free in both. */
  readonly bind: Endpoint;
  /** Where others reach us; port 0 stands for the port that is bound. */
  readonly advertise: Endpoint;
  /** At least one of 32 bytes; the first encrypts, all decrypt. */
  readonly keys: readonly Uint8Array[];
  /** At most 255 bytes, sent in clear; other labels are refused. */
  readonly label: string;
  /** At most 512 bytes. */
  readonly meta: Uint8Array;
  /** The last one persisted, 0 for none. */
  readonly incarnation: number;
  readonly timing?: Partial<MembershipTiming>;
  readonly delegate: GossipDelegate;
}

/**
 * Why an exchange over a stream failed. "refused": nobody listens. "unanswered": no answer in time (a firewall?). "unreachable": no
 * route. "authentication": the other side has another key or label. "closed": the connection broke, or we are closing.
 * "protocol": the answer was no memberlist answer, or an error.
 */
export type StreamFailure =
  | "refused"
  | "unanswered"
  | "unreachable"
  | "authentication"
  | "closed"
  | "protocol";

export type JoinResult =
  | { readonly ok: true; readonly members: readonly RemoteMember[] }
  | { readonly ok: false; readonly reason: StreamFailure; readonly message: string };
