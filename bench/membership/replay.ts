/** The core alone: packets to messages to changes of members, without sockets and without a network. */
import { readFileSync } from "node:fs";
import { Membership } from "../../src/membership/machine.ts";
import { messageSize } from "../../src/membership/wire/message-size.ts";
import {
  decodePacket,
  encodePacket,
  makeEnvelope,
  messageBudget,
} from "../../src/membership/wire/packet.ts";
import { makeKeyring } from "../../src/membership/wire/security.ts";
import { GOSSIP_PORT, KEY, META_BYTES, nodeIp, nodeName } from "./node-protocol.ts";

const MEMBERS = 256;
/** Alive messages of about 130 bytes fill a packet; memberlist's side counts on it. */
const MESSAGES_A_PACKET = 10;
const ENVELOPE = makeEnvelope("", makeKeyring([KEY]));

/**
 * Encrypted packets of `updates` alive messages about 256 members, each with a higher incarnation and other metadata than the one
 * before; a multiple of 10. Every one changes a belief and is news to pass on. Each packet has its length before it, two bytes.
 */
export function replayFile(updates: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let first = 0; first < updates; first += MESSAGES_A_PACKET) {
    const count = Math.min(MESSAGES_A_PACKET, updates - first);
    const messages = Array.from({ length: count }, (_, index) => {
      const round = Math.floor((first + index) / MEMBERS);
      const number = 2 + ((first + index) % MEMBERS);
      return {
        type: "alive",
        incarnation: 2 + round,
        node: nodeName(number),
        endpoint: { ip: nodeIp(number), port: GOSSIP_PORT },
        meta: Buffer.alloc(META_BYTES, round),
        versions: [1, 5, 2, 0, 0, 0],
      } as const;
    });
    const packet = encodePacket(messages, ENVELOPE, { nonce: nonce(first) });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(packet.length);
    parts.push(length, packet);
  }
  return Buffer.concat(parts);
}

function nonce(counter: number): Uint8Array {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32BE(counter, 8);
  return bytes;
}

/** Applies the packets of `file` at one machine; what it wants to send is made and dropped. */
export function replay(file: string, updates: number): { updates: number; seconds: number } {
  const bytes = readFileSync(file);
  const from = { ip: nodeIp(2), port: GOSSIP_PORT };
  const machine = new Membership(
    {
      name: nodeName(1),
      endpoint: { ip: nodeIp(1), port: GOSSIP_PORT },
      meta: Buffer.alloc(META_BYTES),
      incarnation: 0,
      random: Math.random,
      packetBudget: messageBudget(ENVELOPE),
      sizeOf: messageSize,
    },
    performance.now(),
  );
  let applied = 0;
  const started = performance.now();
  for (let offset = 0; offset < bytes.length; ) {
    const end = offset + 2 + bytes.readUInt16BE(offset);
    const packet = decodePacket(bytes.subarray(offset + 2, end), ENVELOPE);
    offset = end;
    if (!packet.ok) throw new Error(`a packet was refused: ${packet.reason}`);
    for (const message of packet.messages) {
      for (const output of machine.handle({ type: "packet", from, message }, performance.now())) {
        if (output.type === "event") applied += 1;
      }
    }
  }
  const seconds = (performance.now() - started) / 1000;
  if (applied !== updates) throw new Error(`${applied} of ${updates} updates were applied`);
  return { updates, seconds };
}
