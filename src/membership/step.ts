/**
 * What goes into the membership machine and what comes out: the whole of its contact with the world.
 *
 * The driver (src/gossip, or a simulation) feeds inputs with the current time in milliseconds of a monotonic clock and carries
 * outputs out in order. The machine never blocks and keeps no reference to what it returned.
 */
import type { Endpoint } from "../values/endpoint.ts";
import type { MemberState, Message, PushPull, RemoteMember } from "./message.ts";

export type MembershipInput =
  /** A message that arrived by packet, or the ack of a stream ping (`reliable`). */
  | {
      readonly type: "packet";
      readonly from: Endpoint;
      readonly message: Message;
      readonly reliable?: boolean;
    }
  /** The other side's half of a push/pull, whoever began it. */
  | {
      readonly type: "remote-state";
      readonly from: Endpoint;
      readonly state: PushPull;
      /** Whether it is the answer to a push/pull that we began. */
      readonly isAnswer?: boolean;
    }
  /** Time passed: call when `nextTickMs()` is due. */
  | { readonly type: "tick" }
  /** The host is awake for something else that comes once a probe interval: the probe that is due soon goes along. Never needed. */
  | { readonly type: "beat" }
  /** Spread `payload` by gossip as a user message; a queued one with the same key is replaced. */
  | { readonly type: "broadcast"; readonly key: string; readonly payload: Uint8Array }
  /** Our own metadata or address changed: announced with a higher incarnation. */
  | { readonly type: "announce"; readonly meta: Uint8Array; readonly endpoint: Endpoint }
  /** Graceful leave: spread our own death. */
  | { readonly type: "leave" }
  /** Forget a member for good, whatever its state (take-over, removal). */
  | { readonly type: "remove"; readonly name: string };

export interface MemberEvent {
  readonly kind: "joined" | "updated" | "suspect" | "alive-again" | "dead" | "left" | "conflict";
  readonly member: RemoteMember;
  /** For "conflict": where the other holder of the name says it is. */
  readonly other?: Endpoint;
  readonly previous?: MemberState;
}

export type MembershipOutput =
  /** Send as one packet, as many messages as fit into the driver's packet budget have been chosen already. */
  | { readonly type: "packet"; readonly to: Endpoint; readonly messages: readonly Message[] }
  /** Open a stream and exchange states; answer with "remote-state". */
  | { readonly type: "sync"; readonly to: Endpoint; readonly node: string }
  /** Open a stream, ping, and feed the ack back as a reliable packet before `deadlineMs`. */
  | {
      readonly type: "stream-ping";
      readonly to: Endpoint;
      readonly ping: Message;
      readonly deadlineMs: number;
    }
  /** A user message arrived. */
  | { readonly type: "user"; readonly from: Endpoint; readonly payload: Uint8Array }
  | { readonly type: "event"; readonly event: MemberEvent }
  /** Our incarnation rose: write it down before sending anything that follows. */
  | { readonly type: "incarnation"; readonly value: number };
