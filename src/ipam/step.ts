/**
 * What goes into the address machine and what comes out.
 *
 * The machine owns the rings (who owns which address); the plugin process owns the leases inside our part. Outputs are carried out
 * strictly in order; everything after a "persist" waits until it is on disk.
 */
import type { Range } from "../values/cidr.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";

/** One record of a ring: `owner` owns from `start` to the next record's start. */
export interface RingEntry {
  readonly start: Ipv4;
  readonly owner: NodeId;
  /** 0 is a birth record and loses to any other. */
  readonly version: number;
  /** The owner's own count of free addresses in this entry, a hint for who asks. */
  readonly free: number;
  /**
   * The owner owns nothing from here on, whatever the next record is: makes a part of a ring safe to merge.
   * All that this code writes has it; absent stands for the end of the ring.
   */
  readonly end?: number;
}

export type IpamMessage =
  /** Give me space in the dynamic ring. */
  | { readonly type: "ask-space"; readonly request: number }
  /** Give me exactly this address. */
  | { readonly type: "ask-address"; readonly request: number; readonly address: Ipv4 }
  /** The answer to either: the entries that changed (merge them), or a refusal. */
  | { readonly type: "granted"; readonly request: number; readonly entries: readonly RingEntry[] }
  | {
      readonly type: "refused";
      readonly request: number;
      readonly reason: "none-free" | "in-use" | "not-owner" | "not-ready";
    };

export type IpamInput =
  | { readonly type: "message"; readonly from: NodeId; readonly message: IpamMessage }
  /** Ring entries by gossip or push/pull, whole or in part. */
  | { readonly type: "entries"; readonly entries: readonly RingEntry[] }
  /** Nodes that can be asked now (alive, and their tunnel proved), without ourselves. */
  | { readonly type: "reachable"; readonly nodes: readonly NodeId[] }
  /** The first push/pull with a member of the cluster is done, or every target was tried for long enough. */
  | { readonly type: "settled" }
  /**
   * The plugin's counts, inside our space: `free` is what a request for any address could get now (dynamic only,
   * without those released less than 60 s ago), `active` all that is leased, fixed addresses too.
   */
  | { readonly type: "usage"; readonly free: number; readonly active: number }
  /**
   * The plugin answered a "cede" with what it gave up and wrote down; empty when it refused, and when the connection
   * to it was lost with the answer outstanding (say so before the space is set again).
   */
  | { readonly type: "ceded"; readonly request: number; readonly ranges: readonly Range[] }
  /** The plugin wants a certain address that is not in our space, or any address when it has none. */
  | {
      readonly type: "claim";
      readonly request: number;
      readonly address: Ipv4 | undefined;
      /** When to give up, on the same clock as `nowMs`. */
      readonly deadlineMs: number;
    }
  /** We give up (reset): everything we own goes to `heir`. */
  | { readonly type: "hand-over"; readonly heir: NodeId }
  /** All that `from` owns becomes ours: it vanished, and the caller made sure that no peer hears it. */
  | { readonly type: "take-over"; readonly from: NodeId }
  /**
   * Containers of other nodes hold these addresses without right (strays.ts), whoever owns them: not to be given while that
   * is so. A range set.
   */
  | { readonly type: "avoid"; readonly ranges: readonly Range[] }
  /** This node stops giving addresses (a twin of its id won), or may again. */
  | { readonly type: "fenced"; readonly fenced: boolean }
  | { readonly type: "tick" };

export type IpamOutput =
  | { readonly type: "persist" }
  | { readonly type: "send"; readonly to: NodeId; readonly message: IpamMessage }
  /** Spread these entries by gossip. */
  | { readonly type: "broadcast"; readonly entries: readonly RingEntry[] }
  /**
   * Our ranges changed: tell the plugin. `ready` is false until birth or grant makes them ours to use; what `avoid` has of
   * them is held by containers of other nodes.
   */
  | {
      readonly type: "space";
      readonly ready: boolean;
      readonly ranges: readonly Range[];
      readonly avoid: readonly Range[];
    }
  /**
   * Ask the plugin to give up part of our space for good: one address, exactly these ranges, or for "space" the piece
   * that its lease book chooses (the largest aligned free block; its upper half when that is more than half of what is free).
   */
  | { readonly type: "cede"; readonly request: number; readonly want: Cession }
  | {
      readonly type: "claim-done";
      readonly request: number;
      readonly result: "granted" | "in-use" | "owner-unreachable" | "no-space" | "not-ready";
      readonly owner?: NodeId;
    }
  /** Evidence that an address was given out twice or a ring record contradicts ours. */
  | { readonly type: "conflict"; readonly range: Range; readonly other: NodeId };

export type Cession =
  | { readonly kind: "address"; readonly address: Ipv4 }
  | { readonly kind: "ranges"; readonly ranges: readonly Range[] }
  | { readonly kind: "space"; readonly within: readonly Range[] };
