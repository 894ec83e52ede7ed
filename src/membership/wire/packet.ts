/**
 * One datagram to messages and back: label, encryption, checksum, compression, compound.
 *
 * The label is sent in clear and authenticated with the packet. Invariant: nothing is decoded before the packet is
 * authenticated, and decodePacket never throws.
 */
import { MESSAGE_TYPE, type Message } from "../message.ts";
import { decodeCompound, encodeCompound } from "./compound.ts";
import { removeCompression } from "./compression.ts";
import { addCrc, removeCrc } from "./crc.ts";
import { labelHeader, matchLabel } from "./label.ts";
import { MAX_PACKET_PLAIN, PACKET_BUDGET } from "./limits.ts";
import { decodeMessage, encodeMessage } from "./message-codec.ts";
import { ENCRYPTION_OVERHEAD, type Keyring, open, seal } from "./security.ts";

/** What surrounds the messages of one cluster. Without a keyring packets are in clear, which only tests want. */
export interface Envelope {
  readonly label: string;
  /** labelHeader(label), kept so that it is made once. */
  readonly header: Uint8Array;
  /** The label as additional authenticated data. */
  readonly aad: Uint8Array;
  readonly keyring: Keyring | undefined;
}

export function makeEnvelope(label: string, keyring: Keyring | undefined): Envelope {
  return { label, header: labelHeader(label), aad: Buffer.from(label), keyring };
}

export interface PacketOptions {
  /** 12 random bytes; needed with a keyring. */
  readonly nonce?: Uint8Array;
  /** Adds the checksum of protocol 5; the encryption's tag makes it needless. */
  readonly crc?: boolean;
}

/** Bytes that the messages of one datagram of `budget` bytes may take, a compound's own header and lengths included. */
export function messageBudget(envelope: Envelope, budget: number = PACKET_BUDGET): number {
  const encryption = envelope.keyring === undefined ? 0 : ENCRYPTION_OVERHEAD;
  return budget - envelope.header.length - encryption;
}

/** What news became when it was encoded first: it is sent a dozen times. */
const encodings = new WeakMap<Message, Uint8Array>();

function encodedOnce(message: Message): Uint8Array {
  const { type } = message;
  // The rest is sent once.
  if (type !== "alive" && type !== "suspect" && type !== "dead") return encodeMessage(message);
  let bytes = encodings.get(message);
  if (bytes === undefined) {
    bytes = encodeMessage(message);
    encodings.set(message, bytes);
  }
  return bytes;
}

/** One datagram of 1 to 255 messages. Throws RangeError for values that have no encoding: those are ours and wrong. */
export function encodePacket(
  messages: readonly Message[],
  envelope: Envelope,
  options: PacketOptions = {},
): Uint8Array {
  const parts = messages.map(encodedOnce);
  const [first] = parts;
  if (first === undefined) throw new RangeError("a packet needs a message");
  let body = parts.length === 1 ? first : encodeCompound(parts);
  if (options.crc) body = addCrc(body);
  if (envelope.keyring !== undefined) {
    if (options.nonce === undefined) throw new RangeError("encryption needs a nonce");
    return seal(envelope.keyring, body, envelope.aad, options.nonce, envelope.header);
  }
  return envelope.header.length === 0 ? body : Buffer.concat([envelope.header, body]);
}

/** Why bytes were refused. */
export type Refusal = "authentication" | "label" | "malformed";

export type DecodedPacket =
  /** `ignored` parts of a compound were of unknown type or broken, and left out as memberlist does. */
  | { readonly ok: true; readonly messages: readonly Message[]; readonly ignored: number }
  | { readonly ok: false; readonly reason: Refusal };

/** The messages of one datagram. Byte fields may be views of `bytes`. */
export function decodePacket(bytes: Uint8Array, envelope: Envelope): DecodedPacket {
  const split = matchLabel(bytes, envelope.header);
  if (split.kind !== "match") return { ok: false, reason: "label" };
  let body: Uint8Array | undefined = bytes.subarray(split.size);
  if (envelope.keyring !== undefined) {
    body = open(envelope.keyring, body, envelope.aad);
    if (body === undefined) return { ok: false, reason: "authentication" };
  }
  body = removeCrc(body);
  body = body && removeCompression(body, MAX_PACKET_PLAIN);
  if (body === undefined || body.length === 0) return { ok: false, reason: "malformed" };

  const parts = body[0] === MESSAGE_TYPE.compound ? decodeCompound(body) : [body];
  if (parts === undefined) return { ok: false, reason: "malformed" };
  const messages: Message[] = [];
  for (const part of parts) {
    const message = decodeMessage(part);
    if (message !== undefined) messages.push(message);
  }
  if (messages.length === 0) return { ok: false, reason: "malformed" };
  return { ok: true, messages, ignored: parts.length - messages.length };
}
