/**
 * What our user messages look like inside memberlist's: a version byte, a kind, the sender, and the body.
 *
 * Gossip has authenticated the bytes as coming from a holder of the cluster's keys; the sender in here says which one.
 */
import type { NodeId } from "../../values/node-id.ts";

const VERSION = 1;
const HEADER_BYTES = 8;

/** Kinds by number on the wire; numbers never change meaning. */
const KINDS = {
  ring: 1,
  row: 2,
  ipam: 3,
  probe: 4,
  "probe-reply": 5,
  names: 6,
  stray: 8,
  doctor: 9,
  certificates: 12,
  "link-probe": 16,
} as const;

export type EnvelopeKind = keyof typeof KINDS;

export interface Envelope {
  readonly kind: EnvelopeKind;
  readonly sender: NodeId;
  /** 8 hex digits of the sender's key. */
  readonly fingerprint: string;
  readonly body: Uint8Array;
}

const KIND_OF = new Map<number, EnvelopeKind>(
  Object.entries(KINDS).map(([kind, number]) => [number, kind as EnvelopeKind]),
);

/** 1 byte version, 1 byte kind, 2 bytes sender id, 4 bytes key fingerprint, body; big endian. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + envelope.body.length);
  bytes[0] = VERSION;
  bytes[1] = KINDS[envelope.kind];
  bytes.writeUInt16BE(envelope.sender, 2);
  bytes.writeUInt32BE(Number.parseInt(envelope.fingerprint, 16), 4);
  bytes.set(envelope.body, HEADER_BYTES);
  return bytes;
}

/** The envelope in `bytes`, or undefined for another version, an unknown kind, or too few bytes. */
export function decodeEnvelope(bytes: Uint8Array): Envelope | undefined {
  if (bytes.length < HEADER_BYTES || bytes[0] !== VERSION) return undefined;
  const kind = KIND_OF.get(bytes[1] ?? 0);
  if (kind === undefined) return undefined;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    kind,
    sender: view.readUInt16BE(2),
    fingerprint: view.readUInt32BE(4).toString(16).padStart(8, "0"),
    body: bytes.subarray(HEADER_BYTES),
  };
}
