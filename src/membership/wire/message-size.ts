/**
 * How many bytes a message takes on the wire, counted without encoding it.
 *
 * Invariant: messageSize(m) equals encodeMessage(m).length for each message that has an encoding. Costs no allocation.
 */
import type { Endpoint } from "../../values/endpoint.ts";
import { ipToBytes } from "../../values/ip-bytes.ts";
import type { Message } from "../message.ts";
import { ENCRYPTION_OVERHEAD } from "./security.ts";

/** Encoded bytes of `message`, its type byte included. */
export function messageSize(message: Message): number {
  switch (message.type) {
    case "ping":
      return 2 + key(4) + text(message.node) + key(5) + uint(message.seq) + sourceSize(message);
    case "indirectPing":
      return (
        2 +
        (key(4) + 1) +
        (key(4) + text(message.node)) +
        (key(4) + uint(message.target.port)) +
        (key(5) + uint(message.seq)) +
        (key(6) + address(message.target)) +
        sourceSize(message)
      );
    case "ack":
      return 2 + key(7) + optional(message.payload) + key(5) + uint(message.seq);
    case "nack":
      return 2 + key(5) + uint(message.seq);
    case "suspect":
    case "dead":
      return (
        2 +
        (key(4) + text(message.from)) +
        (key(11) + uint(message.incarnation)) +
        (key(4) + text(message.node))
      );
    case "alive":
      return (
        2 +
        (key(4) + address(message.endpoint)) +
        (key(11) + uint(message.incarnation)) +
        (key(4) + optional(message.meta)) +
        (key(4) + text(message.node)) +
        (key(4) + uint(message.endpoint.port)) +
        (key(3) + raw(message.versions.length))
      );
    case "user":
      return 1 + message.payload.length;
    case "error":
      return 2 + key(5) + text(message.text);
  }
}

/** Bytes of one encrypted datagram that carries `messages`, with a label's header of `headerBytes`. */
export function datagramSize(messages: readonly Message[], headerBytes: number): number {
  let bytes = headerBytes + ENCRYPTION_OVERHEAD;
  for (const message of messages) bytes += messageSize(message);
  return messages.length === 1 ? bytes : bytes + 2 + 2 * messages.length;
}

function sourceSize(message: { readonly source?: Endpoint; readonly sourceNode?: string }): number {
  const { source, sourceNode } = message;
  const node = sourceNode ? key(10) + text(sourceNode) : 0;
  return source === undefined
    ? node
    : node + key(10) + address(source) + key(10) + uint(source.port);
}

/** A field's name of `length` letters, always below 32. */
function key(length: number): number {
  return 1 + length;
}

function uint(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x100) return 2;
  return value < 0x10000 ? 3 : 5;
}

function text(value: string): number {
  return raw(Buffer.byteLength(value));
}

function optional(value: Uint8Array): number {
  return value.length === 0 ? 1 : raw(value.length);
}

function raw(length: number): number {
  if (length < 32) return 1 + length;
  return length < 0x10000 ? 3 + length : 5 + length;
}

function address({ ip }: Endpoint): number {
  if (!ip.includes(":")) return raw(4);
  return raw(ipToBytes(ip)?.length ?? 16);
}
