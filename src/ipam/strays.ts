/**
 * Strays: containers that hold an address which is not their node's to give, or which another node's container holds as well.
 *
 * They exist only after one of the four detected cases (docs/internals/ipam.md). Whoever owns the address must not give it a second time, and
 * a person must learn which containers to restart. So each node with strays says them again and again; a note is soft state: it comes
 * in any order, twice or in part, and is forgotten when it is not repeated.
 *
 * Invariant: what a node said that cannot be heard now stays; what a node that is heard no longer says goes.
 */
import type { Range } from "../values/cidr.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import { rangeSet } from "./range-set.ts";

export interface Stray {
  readonly address: Ipv4;
  /** The container's name in its Docker; in a note, empty for one that holds the address no more. */
  readonly container: string;
}

/** A stray and the member ("7-00c0ffee") on whose host the container is. */
export interface HeldStray extends Stray {
  readonly holder: string;
}

/** Between two notes of one node. */
export const STRAY_EVERY_MS = 10_000;
/** A node that is heard and did not repeat a stray for this long has it no more. */
const FORGOTTEN_MS = 35_000;
/** In one note: it fits a gossip packet. */
export const STRAYS_IN_A_NOTE = 12;
/** Kept at most; more are not told apart from none. */
const MAX_STRAYS = 65_536;
const MAX_NAME_BYTES = 64;
const MAX_HOLDER_BYTES = 16;
const FORMAT = 1;

export type HolderState = "heard" | "silent" | "gone";

export class StrayBoard {
  /** "holder address" → what was said, and when. */
  readonly #strays = new Map<string, HeldStray & { readonly atMs: number }>();

  /** Takes a note; true when it said something new. */
  take(holder: string, strays: readonly Stray[], nowMs: number): boolean {
    let isNews = false;
    for (const { address, container } of strays) {
      const key = `${holder} ${address}`;
      const before = this.#strays.get(key);
      if (container === "") {
        if (this.#strays.delete(key)) isNews = true;
        continue;
      }
      if (!before && this.#strays.size >= MAX_STRAYS) continue;
      if (before?.container !== container) isNews = true;
      this.#strays.set(key, { holder, address, container, atMs: nowMs });
    }
    return isNews;
  }

  /** Lets go of what is no longer so; true when anything went. `stateOf` says how a member stands. */
  expire(nowMs: number, stateOf: (holder: string) => HolderState): boolean {
    let went = false;
    for (const [key, { holder, atMs }] of this.#strays) {
      const state = stateOf(holder);
      if (state === "silent" || (state === "heard" && nowMs - atMs < FORGOTTEN_MS)) continue;
      this.#strays.delete(key);
      went = true;
    }
    return went;
  }

  /** Ascending by address, then by holder. */
  list(): readonly HeldStray[] {
    const list = [...this.#strays.values()].map(({ holder, address, container }) => {
      return { holder, address, container };
    });
    return list.sort((a, b) => a.address - b.address || (a.holder < b.holder ? -1 : 1));
  }

  /** The addresses, as a range set. */
  ranges(): Range[] {
    const each = [...this.#strays.values()];
    return rangeSet(each.map(({ address }) => ({ start: address, end: address + 1 })));
  }
}

/**
 * What of a node's containers are strays: those outside `owned` (a range set; empty while a twin has our id), and those whose
 * address another node said to hold.
 */
export function straysOf(
  containers: readonly Stray[],
  owned: readonly Range[],
  others: readonly HeldStray[],
): Stray[] {
  const contested = new Set(others.map(({ address }) => address));
  return containers.filter(
    ({ address }) =>
      contested.has(address) || !owned.some(({ start, end }) => start <= address && address < end),
  );
}

/** 1 byte version, the holder with its length, then each address (4 bytes) and name with its length; big endian. */
export function encodeStrays(holder: string, strays: readonly Stray[]): Uint8Array {
  const name = Buffer.from(holder);
  const parts = [Buffer.of(FORMAT, name.length), name];
  for (const { address, container } of strays.slice(0, STRAYS_IN_A_NOTE)) {
    const text = Buffer.from(container).subarray(0, MAX_NAME_BYTES);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(address, 0);
    head[4] = text.length;
    parts.push(head, text);
  }
  return Buffer.concat(parts);
}

/** The note in `bytes`, or undefined when it is malformed or of another version. Never throws. */
export function decodeStrays(
  bytes: Uint8Array,
): { readonly holder: string; readonly strays: readonly Stray[] } | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = view[1] ?? 0;
  if (view[0] !== FORMAT || size === 0 || size > MAX_HOLDER_BYTES || view.length < 2 + size) {
    return undefined;
  }
  const holder = view.toString("latin1", 2, 2 + size);
  if (!/^\d{1,5}-[0-9a-f]{8}$/.test(holder)) return undefined;
  const strays: Stray[] = [];
  for (let at = 2 + size; at < view.length; ) {
    if (at + 5 > view.length || strays.length === STRAYS_IN_A_NOTE) return undefined;
    const length = view[at + 4] ?? 0;
    if (length > MAX_NAME_BYTES || at + 5 + length > view.length) return undefined;
    // A name comes from another host and is shown on a terminal.
    const container = view.toString("utf8", at + 5, at + 5 + length).replace(/[^\w.-]/g, "?");
    strays.push({ address: view.readUInt32BE(at), container });
    at += 5 + length;
  }
  return { holder, strays };
}
