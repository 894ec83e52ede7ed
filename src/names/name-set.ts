/**
 * What one node says of its containers' names, as it is gossiped.
 *
 * A node's names lie in 256 shards by container, each with a version that only the node raises; a shard is always told whole, so that
 * what was taken out needs no tombstone. A message carries any shards of one life of one node: one of them in a packet, all of them
 * in a push/pull.
 */
import { ByteReader } from "../membership/byte-reader.ts";
import { ByteWriter } from "../membership/byte-writer.ts";
import { formatMemberName, parseMemberName } from "../membership/member-name.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import { localName, MAX_LOCAL_NAME } from "./domain-name.ts";

export const SHARDS = 256;
/** Names of one container that are told: its own, and the first aliases. */
export const MAX_NAMES = 16;
/** Containers of one shard that are told: 65,280 of a node. */
const MAX_ENTRIES = 255;
const FORMAT = 1;
const ID_BYTES = 6;

export interface NameEntry {
  /** The first 12 hex digits of the container's id. */
  readonly container: string;
  readonly address: Ipv4;
  /** Its name, then its aliases, as `localName` gives them; at least one. */
  readonly names: readonly string[];
}

export interface NameShard {
  /** 0 to 255. */
  readonly shard: number;
  /** 32 bits. */
  readonly version: number;
  /** Encoded entries: read only where they are news. */
  readonly bytes: Uint8Array;
}

export interface NameSet {
  /** The member's name of the node that runs the containers. */
  readonly owner: string;
  /** The number of this life of its daemon. */
  readonly boot: number;
  /** How many shards the owner has in this life: who holds as many knows all of its names. */
  readonly total: number;
  readonly shards: readonly NameShard[];
}

/** The shard of a container: the first byte of its id, which is random. */
export function shardOf(container: string): number {
  return Number.parseInt(container.slice(0, 2), 16) % SHARDS;
}

/** 14 bytes and 7 for each shard, with its entries. Throws RangeError for an owner that is not a Hansa member. */
export function encodeNameSet(set: NameSet): Uint8Array {
  const owner = parseMemberName(set.owner);
  if (owner === undefined) throw new RangeError(`"${set.owner}" has no names`);
  const head = new ByteWriter()
    .u8(FORMAT)
    .u16(owner.id)
    .u32(Number.parseInt(owner.keyFingerprint, 16))
    .u32(set.boot)
    .u16(set.total)
    .u16(set.shards.length)
    .finish();
  const parts: Uint8Array[] = [head];
  for (const { shard, version, bytes } of set.shards) {
    parts.push(new ByteWriter().u8(shard).u32(version).u16(bytes.length).finish(), bytes);
  }
  return Buffer.concat(parts);
}

/** The set, or undefined when malformed. Never throws; entries are not looked at. */
export function decodeNameSet(bytes: Uint8Array): NameSet | undefined {
  const reader = new ByteReader(bytes);
  reader.demand(reader.u8() === FORMAT);
  const [id, key, boot] = [reader.u16(), reader.u32(), reader.u32()];
  const [total, count] = [reader.u16(), reader.u16()];
  reader.demand(id >= 1 && total <= SHARDS && count <= total);
  const shards: NameShard[] = [];
  for (let index = 0; index < count && !reader.hasFailed; index++) {
    const [shard, version, length] = [reader.u8(), reader.u32(), reader.u16()];
    shards.push({ shard, version, bytes: reader.raw(length) });
  }
  if (reader.hasFailed) return undefined;
  const owner = formatMemberName({ id, keyFingerprint: key.toString(16).padStart(8, "0") });
  return { owner, boot, total, shards };
}

/** A shard's entries; what is above the bounds is left out. Equal entries in any order give equal bytes. */
export function encodeEntries(entries: readonly NameEntry[]): Uint8Array {
  const kept = entries.toSorted((a, b) => (a.container < b.container ? -1 : 1));
  const writer = new ByteWriter();
  for (const { container, address, names } of kept.slice(0, MAX_ENTRIES)) {
    const told = names.slice(0, MAX_NAMES);
    writer
      .raw(Buffer.from(container.slice(0, 2 * ID_BYTES), "hex"))
      .u32(address)
      .u8(told.length);
    for (const name of told) writer.text(name, MAX_LOCAL_NAME);
  }
  return writer.finish();
}

/** The entries in `bytes`, or undefined when malformed or with a name that is none. Never throws. */
export function decodeEntries(bytes: Uint8Array): NameEntry[] | undefined {
  const reader = new ByteReader(bytes);
  const entries: NameEntry[] = [];
  while (reader.remaining > 0 && !reader.hasFailed) {
    const container = Buffer.from(reader.raw(ID_BYTES)).toString("hex");
    const address = reader.u32();
    const count = reader.u8();
    reader.demand(count >= 1 && count <= MAX_NAMES && entries.length < MAX_ENTRIES);
    const names: string[] = [];
    for (let index = 0; index < count && !reader.hasFailed; index++) {
      const name = reader.text(MAX_LOCAL_NAME);
      reader.demand(localName(name) === name);
      names.push(name);
    }
    entries.push({ container, address, names });
  }
  return reader.hasFailed ? undefined : entries;
}
