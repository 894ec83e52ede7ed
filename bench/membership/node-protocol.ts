/**
 * What the bench says to a program of nodes and what it hears from it: one JSON object a line, on stdin and stdout.
 *
 * Both programs (ours and memberlist's) speak it, so that one harness measures both. Node number i (1 to 65535) has the name `n<i>` and
 * the address 127.1.(i / 256).(i % 256), port 7946.
 */
import { createHash } from "node:crypto";

export type Order =
  /** Makes nodes `first` to `first + count - 1`, answered by "started". */
  | { readonly op: "start"; readonly first: number; readonly count: number }
  /**
   * Every node of the program but the seed joins it, again every second until it worked; answered by "joined". Node i begins after
   * i * `spacingMs`, so with 0 all at once.
   */
  | { readonly op: "join"; readonly seed: number; readonly spacingMs: number }
  /** Says "full" once each node of the program sees `alive` members alive, itself included. */
  | { readonly op: "expect"; readonly alive: number }
  /** One node vanishes without a word: its sockets are closed. Answered by "killed". */
  | { readonly op: "kill"; readonly node: number }
  /** Decodes and applies the packets in `file` (u16 length, bytes) at one node without a network; answered by "replayed". */
  | { readonly op: "replay"; readonly file: string; readonly updates: number };

export type Saying =
  | { readonly op: "started" }
  | { readonly op: "joined"; readonly failures: number }
  | { readonly op: "full" }
  | { readonly op: "killed" }
  /** Node `by` holds node `node` for dead. */
  | { readonly op: "dead"; readonly node: string; readonly by: string }
  /** `updates` changes of members were applied in `seconds`. */
  | { readonly op: "replayed"; readonly updates: number; readonly seconds: number };

export const GOSSIP_PORT = 7946;
/** Of all nodes, both sides; 32 bytes. */
export const KEY = Buffer.alloc(32, 7);
/** As many as metaOf() gives. */
export const META_BYTES = 64;

/** What a node announces: about as much as a Hansa node, and like its keys nothing that could be compressed. */
export function metaOf(number: number): Uint8Array {
  return createHash("sha512").update(nodeName(number)).digest();
}

export function nodeName(number: number): string {
  return `n${number}`;
}

export function nodeIp(number: number): string {
  return `127.1.${number >> 8}.${number & 255}`;
}
