/**
 * The messages of memberlist's protocol (versions 2 to 5) as values.
 *
 * Field meanings follow hashicorp/memberlist's net.go; the codec maps them to its msgpack field names. Addresses are
 * textual IP literals here and 4 or 16 raw bytes on the wire.
 */
import type { Endpoint } from "../values/endpoint.ts";

/** Numbers on the wire, memberlist's messageType. */
export const MESSAGE_TYPE = {
  ping: 0,
  indirectPing: 1,
  ack: 2,
  suspect: 3,
  alive: 4,
  dead: 5,
  pushPull: 6,
  compound: 7,
  user: 8,
  compress: 9,
  encrypt: 10,
  nack: 11,
  hasCrc: 12,
  error: 13,
  hasLabel: 244,
} as const;

/** [protocol min, max, current, delegate min, max, current]; the delegate ones are 0 with us. */
export type Versions = readonly [number, number, number, number, number, number];

export interface Ping {
  readonly type: "ping";
  readonly seq: number;
  /** Name of the member that is meant; another member stays silent. */
  readonly node: string;
  /** Where to answer, when the sender gave it; else the packet's source. */
  readonly source?: Endpoint;
  readonly sourceNode?: string;
}

export interface IndirectPing {
  readonly type: "indirectPing";
  readonly seq: number;
  readonly target: Endpoint;
  readonly node: string;
  readonly nack: boolean;
  readonly source?: Endpoint;
  readonly sourceNode?: string;
}

export interface Ack {
  readonly type: "ack";
  readonly seq: number;
  readonly payload: Uint8Array;
}

export interface Nack {
  readonly type: "nack";
  readonly seq: number;
}

export interface Suspect {
  readonly type: "suspect";
  readonly incarnation: number;
  readonly node: string;
  readonly from: string;
}

export interface Alive {
  readonly type: "alive";
  readonly incarnation: number;
  readonly node: string;
  readonly endpoint: Endpoint;
  /** At most 512 bytes. */
  readonly meta: Uint8Array;
  readonly versions: Versions;
}

export interface Dead {
  readonly type: "dead";
  readonly incarnation: number;
  readonly node: string;
  /** The accuser; equal to `node` for a graceful leave. */
  readonly from: string;
}

export interface User {
  readonly type: "user";
  readonly payload: Uint8Array;
}

export interface ErrorMessage {
  readonly type: "error";
  readonly text: string;
}

/** What travels in packets (possibly several to a packet). */
export type Message =
  | Ping
  | IndirectPing
  | Ack
  | Nack
  | Suspect
  | Alive
  | Dead
  | User
  | ErrorMessage;

/** Wire numbers of a member's state in a push/pull. */
export const MEMBER_STATE = { alive: 0, suspect: 1, dead: 2, left: 3 } as const;
export type MemberState = keyof typeof MEMBER_STATE;

export interface RemoteMember {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly meta: Uint8Array;
  readonly incarnation: number;
  readonly state: MemberState;
  readonly versions: Versions;
}

/** One side's whole state in a push/pull exchange. */
export interface PushPull {
  readonly join: boolean;
  readonly members: readonly RemoteMember[];
  /** What the layer above adds; opaque here. */
  readonly userState: Uint8Array;
}
