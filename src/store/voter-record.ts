/** store.json: that this node has a vote in a store, or is about to, and in which. Holds no secret. */
import { HansaError } from "../errors.ts";
import { atomicWrite, readJson } from "../host/files.ts";
import type { StoreMark } from "./store-mark.ts";
import { type EtcdTiming, isTiming } from "./store-times.ts";

export interface VoterRecord {
  readonly version: 1;
  readonly store: StoreMark & { readonly name: string };
  /** As which member its etcd runs, hex; undefined for the one that made the store. */
  readonly member?: string | undefined;
  /** Its etcd has begun: without its log it has lost its data, and must not begin again as the same member. */
  readonly settled?: boolean;
  /** The folder of its data, when that is not "data": a store that is made anew begins beside the former one's. */
  readonly data?: string;
  /** The store is being made anew from the copy that lies beside this file; until that is done it serves nobody. */
  readonly filling?: boolean;
  /** While it is filled: the former one's data, which etcd does not open, goes there in the end. */
  readonly kept?: { readonly data: string; readonly to: string };
  /** The store was made anew elsewhere: it is to be put away, and serves nobody. */
  readonly outlived?: boolean;
  /** What its etcd is told of times; without it the least. */
  readonly timing?: EtcdTiming;
}

export const FIRST_DATA = "data";
const DATA = /^data(-[0-9a-z]{1,32})*$/;

/** Undefined on a node without. Throws STATE_DAMAGED. */
export async function loadVoterRecord(path: string): Promise<VoterRecord | undefined> {
  const value = await readJson(path);
  if (value === undefined) return undefined;
  if (isRecord(value)) return value;
  throw new HansaError("STATE_DAMAGED", `${path} is damaged: it names no store`);
}

/** On disk before it returns. Its folder must exist. Throws STATE_UNWRITABLE. */
export async function saveVoterRecord(path: string, record: VoterRecord): Promise<void> {
  await atomicWrite(path, `${JSON.stringify(record, null, 2)}\n`, 0o600);
}

function isRecord(value: unknown): value is VoterRecord {
  if (typeof value !== "object" || value === null) return false;
  const { version, store, member, settled, data, filling, outlived, kept, timing } =
    value as Record<string, unknown>;
  if (version !== 1 || typeof store !== "object" || store === null) return false;
  const { id, name, generation } = store as Record<string, unknown>;
  return (
    typeof id === "string" &&
    /^[0-9a-f]{1,32}$/.test(id) &&
    typeof name === "string" &&
    Number.isInteger(generation) &&
    [settled, filling, outlived].every((flag) => flag === undefined || typeof flag === "boolean") &&
    (kept === undefined || isKept(kept)) &&
    (timing === undefined || isTiming(timing)) &&
    (data === undefined || (typeof data === "string" && DATA.test(data))) &&
    (member === undefined || (typeof member === "string" && /^[0-9a-f]{1,16}$/.test(member)))
  );
}

function isKept(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { data, to } = value as Record<string, unknown>;
  return (
    typeof data === "string" && DATA.test(data) && typeof to === "string" && to.startsWith("/")
  );
}
