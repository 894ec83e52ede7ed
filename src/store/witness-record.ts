/**
 * The witness as the store knows it: a voter that is no node, on a host without Docker, token and overlay. Pure.
 *
 * Invariant: its key is part of its name, so that another box in its place is another member.
 */
import { CONFIG_VERSION_KEY, versionIn } from "./node-registry.ts";
import type { Entry, Transaction } from "./store.ts";
import { type StoreMark, type VoterNode, WITNESS } from "./voter-plan.ts";

export const WITNESS_KEY = "cluster/witness";
/** TCP, on the box: the one port that nodes open connections to. */
export const WITNESS_PORT = 5403;

export interface WitnessRecord {
  /** As it was named at its setup: a name or an address. */
  readonly host: string;
  readonly port: number;
  /** Of its public key: see `publicKeyHash`. */
  readonly key: string;
  /** On the loopback of each voter, and of the witness itself: there the others' etcds find its. */
  readonly raftPort: number;
}

const MAX_BYTES = 2048;
const HOST = /^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$/;
const KEY = /^sha256:[0-9a-f]{64}$/;

/** Its name among the members of the store. */
export function witnessMember({ key }: Pick<WitnessRecord, "key">): string {
  return `${WITNESS}-${key.slice("sha256:".length, "sha256:".length + 8)}`;
}

export function witnessPeerUrl({ raftPort }: Pick<WitnessRecord, "raftPort">): string {
  return `https://127.0.0.1:${raftPort}`;
}

/** How it is called in sentences. */
export function witnessTitle({ host }: Pick<WitnessRecord, "host">): string {
  return `witness ${host}`;
}

export function encodeWitness({ host, port, key, raftPort }: WitnessRecord): Uint8Array {
  return bytesOf(JSON.stringify({ version: 1, host, port, key, raftPort }));
}

/** Undefined for anything else than what `encodeWitness` writes. */
export function decodeWitness(bytes: Uint8Array | undefined): WitnessRecord | undefined {
  if (bytes === undefined || bytes.length > MAX_BYTES) return undefined;
  const { version, host, port, key, raftPort } = jsonOf(bytes);
  const isWhole =
    version === 1 &&
    typeof host === "string" &&
    HOST.test(host) &&
    typeof key === "string" &&
    KEY.test(key);
  if (!isWhole || !isPort(port) || !isPort(raftPort)) return undefined;
  return { host, port, key, raftPort };
}

/** Whether a text may stand for the box: a name or an address. */
export function isWitnessHost(host: string): boolean {
  return HOST.test(host);
}

/** Writes the witness down, or with undefined strikes it out, as one change of the configuration. */
export function witnessCommit(
  record: WitnessRecord | undefined,
  written: Entry | undefined,
  version: Entry | undefined,
): Transaction {
  const key = WITNESS_KEY;
  return {
    conditions: [
      { key, revision: written?.revision ?? 0n },
      { key: CONFIG_VERSION_KEY, revision: version?.revision ?? 0n },
    ],
    writes: [
      record ? { type: "put", key, value: encodeWitness(record) } : { type: "remove", key },
      { type: "put", key: CONFIG_VERSION_KEY, value: bytesOf(`${versionIn(version) + 1}`) },
    ],
  };
}

/** What is known of it now: `mark` of the store that it says it holds to. */
export interface WitnessState {
  readonly isHeard: boolean;
  readonly mark: StoreMark | undefined;
}

/** As the plan of the voters sees it. */
export function witnessNode(record: WitnessRecord, { isHeard, mark }: WitnessState): VoterNode {
  return {
    ...{ id: WITNESS, name: witnessMember(record), peerUrl: witnessPeerUrl(record) },
    // Its key is checked at each connection: there are no twins of it.
    ...{ isHeard, isSteady: isHeard, store: mark },
  };
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536;
}

function jsonOf(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
