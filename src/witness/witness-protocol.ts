/**
 * What nodes and a witness say to each other: one port, TLS 1.3, and the protocol of each connection is chosen in its handshake (ALPN). Pure.
 *
 * | protocol | from | what |
 * |---|---|---|
 * | claim | a node, without a certificate that the witness could know | lines of JSON: the witness is taken into a cluster, by its code |
 * | talk | each node | lines of JSON: what the witness holds to, and what its etcd is to do |
 * | raft | voters | the connection is joined to the witness' etcd |
 * | spare | voters | waits until the witness' etcd wants to reach that voter's: a byte asks for it, a byte says that it is joined |
 *
 * Invariant: all but `claim` want a certificate of the store's authority for a node; what comes in lines is bounded and is held against its fields.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { HansaError } from "../errors.ts";
import type { Fields } from "../host/line-channel.ts";
import type { StoreMark } from "../store/store-mark.ts";

export const CLAIM = "hansa-witness-claim/1";
export const TALK = "hansa-witness/1";
export const RAFT = "hansa-witness-raft/1";
export const SPARE = "hansa-witness-spare/1";
export type WitnessProtocol = typeof CLAIM | typeof TALK | typeof RAFT | typeof SPARE;

export const PROTOCOLS: readonly WitnessProtocol[] = [CLAIM, TALK, RAFT, SPARE];
export const MAX_WITNESS_LINE = 64 * 1024;
/** On a spare connection, either way. */
export const JOIN_BYTE = 1;

/** Without letters and digits that are taken for each other; 32 of them. */
const LETTERS = "abcdefghjkmnpqrstuvwxyz023456789";
const CODE_LETTERS = 16;
/** What 16 letters hold: nobody tries so many, not even against a proof that was overheard. */
export const CODE_BYTES = 16;

/** A code to be typed, of random bytes: four groups of four. */
export function codeOf(bytes: Uint8Array): string {
  const letters = [...bytes.subarray(0, CODE_LETTERS)].map((byte) => LETTERS[byte % 32]).join("");
  return (letters.match(/.{4}/g) ?? []).join("-");
}

/** As it was typed, without what does not matter; undefined for what can be no code. */
export function parseCode(text: string): string | undefined {
  const letters = text.toLowerCase().replace(/[\s-]/g, "").replaceAll("o", "0");
  const isCode = letters.length === CODE_LETTERS && [...letters].every((l) => LETTERS.includes(l));
  return isCode ? (letters.match(/.{4}/g) ?? []).join("-") : undefined;
}

/**
 * That `side` knows the code, for the witness with this key and no other: who stands in between has another key, and its proof is worth nothing at the
 * other end. Hex.
 */
export function claimProof(code: string, side: "node" | "witness", keyHash: string): string {
  return createHmac("sha256", code).update(`hansa v1 ${side} ${keyHash}`).digest("hex");
}

export function isProof(proof: unknown, expected: string): boolean {
  if (typeof proof !== "string" || proof.length !== expected.length) return false;
  return timingSafeEqual(Buffer.from(proof), Buffer.from(expected));
}

/** What a witness says of itself before anybody has proved anything. */
export interface WitnessFacts {
  readonly version: string;
  /** It is some cluster's already. */
  readonly isTaken: boolean;
  readonly raftPort: number;
  /** What keeps it from running etcd, in sentences. */
  readonly problems: readonly string[];
}

export function parseFacts(fields: Fields): WitnessFacts {
  const { version, isTaken, raftPort, problems } = fields;
  const isGood =
    isText(version, 100) &&
    typeof isTaken === "boolean" &&
    Number.isInteger(raftPort) &&
    Number(raftPort) > 0 &&
    Number(raftPort) < 65_536 &&
    Array.isArray(problems) &&
    problems.length <= 16 &&
    problems.every((each) => isText(each, 500));
  if (!isGood) throw malformed("what it says of itself");
  return { version, isTaken, raftPort: Number(raftPort), problems };
}

/** What a witness is given when it is taken in: nothing of it is a secret. */
export interface WitnessClaim {
  /** Of the cluster. */
  readonly cluster: string;
  /** For the key of its request; PEM. */
  readonly certificate: string;
  /** Of the store's authorities; PEM. */
  readonly ca: readonly string[];
}

export function parseClaim(fields: Fields): WitnessClaim {
  const { cluster, certificate, ca } = fields;
  const isGood =
    isText(cluster, 100) &&
    isText(certificate, 8192) &&
    Array.isArray(ca) &&
    ca.length > 0 &&
    ca.length <= 8 &&
    ca.every((each) => isText(each, 8192));
  if (!isGood) throw malformed("its certificate");
  return { cluster, certificate, ca };
}

/** The store that somebody holds to; undefined: none. */
export function parseMark(value: unknown): StoreMark | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { id, generation } = value as Record<string, unknown>;
  const isGood =
    typeof id === "string" &&
    /^[0-9a-f]{1,32}$/.test(id) &&
    Number.isInteger(generation) &&
    Number(generation) > 0;
  return isGood ? { id, generation: Number(generation) } : undefined;
}

export function isText(value: unknown, maxLength: number): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= maxLength;
}

export function malformed(what: string): HansaError {
  return new HansaError("USAGE", `${what} is malformed`);
}
