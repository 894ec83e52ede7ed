/**
 * Address messages between two nodes as bytes: a version byte, a kind, the request's number, and what the kind carries.
 *
 * Decoding never throws and is bounded by the ring codec's own bounds.
 */
import type { AddressPlan } from "./address-plan.ts";
import { decodeEntries, encodeEntries } from "./ring-codec.ts";
import type { IpamMessage } from "./step.ts";

const VERSION = 1;
const HEADER_BYTES = 6;
const KINDS = { "ask-space": 1, "ask-address": 2, granted: 3, refused: 4 } as const;
const REASONS = ["none-free", "in-use", "not-owner", "not-ready"] as const;
const NOTHING = new Uint8Array(0);

/** 1 byte version, 1 byte kind, 4 bytes request, then address, entries or reason; big endian. */
export function encodeIpamMessage(plan: AddressPlan, message: IpamMessage): Uint8Array {
  const body = bodyOf(plan, message);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  bytes[0] = VERSION;
  bytes[1] = KINDS[message.type];
  bytes.writeUInt32BE(message.request, 2);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

function bodyOf(plan: AddressPlan, message: IpamMessage): Uint8Array {
  switch (message.type) {
    case "ask-space":
      return NOTHING;
    case "ask-address": {
      const body = Buffer.allocUnsafe(4);
      body.writeUInt32BE(message.address, 0);
      return body;
    }
    case "granted":
      return encodeEntries(plan, message.entries);
    case "refused":
      return Uint8Array.of(REASONS.indexOf(message.reason));
  }
}

/** The message in `bytes`, or undefined when it is malformed, of another version, or not of this plan. */
export function decodeIpamMessage(plan: AddressPlan, bytes: Uint8Array): IpamMessage | undefined {
  if (bytes.length < HEADER_BYTES || bytes[0] !== VERSION) return undefined;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const request = view.readUInt32BE(2);
  const body = bytes.subarray(HEADER_BYTES);
  switch (bytes[1]) {
    case KINDS["ask-space"]:
      return { type: "ask-space", request };
    case KINDS["ask-address"]:
      if (body.length !== 4) return undefined;
      return { type: "ask-address", request, address: view.readUInt32BE(HEADER_BYTES) };
    case KINDS.granted: {
      const decoded = decodeEntries(plan, body);
      return decoded.ok ? { type: "granted", request, entries: decoded.entries } : undefined;
    }
    case KINDS.refused: {
      const reason = REASONS[body[0] ?? -1];
      return reason && body.length === 1 ? { type: "refused", request, reason } : undefined;
    }
    default:
      return undefined;
  }
}
