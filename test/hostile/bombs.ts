/**
 * Bytes that want to become much more than they are: decompression bombs, nesting, claims of huge counts and lengths.
 *
 * Run as a program it decodes those of one size and prints, for each, the result, CPU milliseconds, and by how much the peak of
 * the process's memory rose.
 */

import { decodeSharedState } from "../../src/daemon/membership/shared-state.ts";
import { decodeDoctorMessage } from "../../src/daemon/status/doctor-message.ts";
import { addressPlan } from "../../src/ipam/address-plan.ts";
import { decodeEntries } from "../../src/ipam/ring-codec.ts";
import { decodeRow } from "../../src/membership/connection-rows.ts";
import { decodeDepartures } from "../../src/membership/departures.ts";
import { MAX_PACKET, MAX_STREAM } from "../../src/membership/wire/limits.ts";
import { decodePacket, makeEnvelope } from "../../src/membership/wire/packet.ts";
import { makeKeyring } from "../../src/membership/wire/security.ts";
import { FrameReader } from "../../src/membership/wire/stream-frame.ts";
import { decodeStreamMessage } from "../../src/membership/wire/stream-message.ts";
import { decodeDnsMessage } from "../../src/names/dns-message.ts";
import { decodeNameSet } from "../../src/names/name-set.ts";

export interface Bomb {
  readonly name: string;
  readonly bytes: () => Buffer;
  readonly decode: (bytes: Buffer) => unknown;
  /** Whether it is refused, or harmless and taken. */
  readonly isRefused: boolean;
}

const CLEAR = makeEnvelope("", undefined);
const packet = (bytes: Buffer) => decodePacket(bytes, CLEAR);
const NACK = "0b81a55365714e6f01";

/** None of these costs more than a few MiB: they fit into one datagram or a small message. */
export const SMALL: readonly Bomb[] = [
  refused(
    "a datagram of one letter compressed",
    () => compressed(lzwBomb(MAX_PACKET - 100)),
    packet,
  ),
  refused(
    "compression in compression",
    () => compressed(lzwLiteral(compressed(lzwBomb(200)))),
    packet,
  ),
  refused(
    "compounds in compounds",
    () => {
      let bytes = Buffer.from(NACK, "hex");
      for (let depth = 0; depth < 200; depth++) {
        bytes = Buffer.concat([Buffer.of(7, 1, bytes.length >> 8, bytes.length & 255), bytes]);
      }
      return bytes;
    },
    packet,
  ),
  refused(
    "a compound that claims 255 parts of 64 KiB",
    () => Buffer.from(`07ff${"ffff".repeat(255)}00`, "hex"),
    packet,
  ),
  ...["df", "dd", "db", "c6", "c9"].map((code) =>
    refused(
      `an unknown field that claims 4 G of msgpack's ${code}`,
      () => Buffer.from(`0b82a141${code}ffffffff`, "hex"),
      packet,
    ),
  ),
  refused(
    "arrays in arrays",
    () => Buffer.concat([Buffer.from("0b82a141", "hex"), Buffer.alloc(MAX_PACKET, 0x91)]),
    packet,
  ),
  refused(
    "maps in maps",
    () => Buffer.concat([Buffer.from("0b82", "hex"), Buffer.alloc(MAX_PACKET, 0x81)]),
    packet,
  ),
  refused(
    "metadata that claims 4 GiB",
    () => Buffer.from("0482a44d657461dbffffffff", "hex"),
    packet,
  ),
  refused(
    "4 G members",
    () => Buffer.from("0681a54e6f646573ceffffffff", "hex"),
    decodeStreamMessage,
  ),
  refused(
    "131,072 members that are not there",
    () => Buffer.from("0681a54e6f646573ce00020000", "hex"),
    decodeStreamMessage,
  ),
  refused(
    "a user state that claims 4 GiB",
    () => Buffer.from("0681ac5573657253746174654c656eceffffffff", "hex"),
    decodeStreamMessage,
  ),
  refused(
    "a user message that claims 16 MiB",
    () => Buffer.from("0881aa557365724d73674c656ece00ffffff", "hex"),
    decodeStreamMessage,
  ),
  refused(
    "rings of 2^35 entries",
    () => Buffer.from("010a2000000cffffffff7f", "hex"),
    (bytes) => decodeEntries(addressPlan(), bytes),
  ),
  refused(
    "65,535 rows that are not there",
    () => Buffer.from("0100000000ffff0000", "hex"),
    decodeSharedState,
  ),
  refused(
    "65,535 departures that are not there",
    () => Buffer.from("01ffff0001", "hex"),
    decodeDepartures,
  ),
  refused(
    "65,535 connections that are not there",
    () => Buffer.from("010001000000010000000000000000ffff", "hex"),
    decodeRow,
  ),
  refused(
    "65,535 shards that are not there",
    () => Buffer.from("01000100000001000000000100ffff", "hex"),
    decodeNameSet,
  ),
  refused(
    "65,535 records of DNS four times",
    () => Buffer.from("00010000ffffffffffffffff", "hex"),
    decodeDnsMessage,
  ),
  refused(
    "a name of DNS that points at itself",
    () => Buffer.from("000100000001000000000000c00c00010001", "hex"),
    decodeDnsMessage,
  ),
  refused(
    "names of DNS that point at each other",
    () => Buffer.from("000100000001000000000000c00ec00c00010001", "hex"),
    decodeDnsMessage,
  ),
  refused("JSON in JSON", () => Buffer.from(`{"type":${"[".repeat(8_000)}`), decodeDoctorMessage),
  refused(
    "records of DNS that all point at the longest name",
    () => dnsBomb("0161".repeat(127)),
    decodeDnsMessage,
  ),
  refused("records of DNS that all point at a chain of pointers", dnsChain, decodeDnsMessage),
  {
    name: "a frame that claims 10 MiB and comes byte by byte",
    bytes: () => Buffer.concat([Buffer.from("0a009fffff", "hex"), Buffer.alloc(2_000)]),
    decode: dripped,
    isRefused: false,
  },
];

/** These come in streams of up to 10 MiB. */
export const LARGE: readonly Bomb[] = [
  refused(
    "a stream of one letter compressed",
    () => compressed(lzwBomb(MAX_STREAM - 100)),
    decodeStreamMessage,
  ),
  {
    name: "rows without end",
    bytes: () => Buffer.concat([Buffer.from("0100000000ffff", "hex"), Buffer.alloc(MAX_STREAM)]),
    decode: decodeSharedState,
    isRefused: false,
  },
  {
    name: "as many members as are read, each as small as can be",
    bytes: () => {
      const member = Buffer.from("83a441646472a47f000001a44e616d65a178a4506f727401", "hex");
      const header = Buffer.from("0681a54e6f646573ce00020000", "hex");
      return Buffer.concat([header, ...Array<Buffer>(131_072).fill(member)]);
    },
    decode: decodeStreamMessage,
    isRefused: false,
  },
];

function refused(name: string, bytes: () => Buffer, decode: (bytes: Buffer) => unknown): Bomb {
  return { name, bytes, decode, isRefused: true };
}

function dripped(bytes: Buffer): unknown {
  const reader = new FrameReader(makeEnvelope("", makeKeyring([Buffer.alloc(32)])), false);
  for (const byte of bytes) if (reader.push(Buffer.of(byte)).kind !== "more") return undefined;
  if (reader.buffered > 2 * bytes.length) throw new Error(`${reader.buffered} bytes held`);
  return "more";
}

/** [9]{"Algo": 0, "Buf": body} */
function compressed(body: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(body.length);
  return Buffer.concat([Buffer.from("0982a4416c676f00a3427566db", "hex"), size, body]);
}

/** 4,095 records whose names, twice each, are the question's. */
function dnsBomb(name: string): Buffer {
  const header = Buffer.from("0001000000010fff00000000", "hex");
  const record = Buffer.from("c00c000c0001000000000002c00c", "hex");
  const records = Array<Buffer>(4_095).fill(record);
  return Buffer.concat([header, Buffer.from(name, "hex"), Buffer.of(0, 0, 1, 0, 1), ...records]);
}

/** Pointers that each point at the one before, in a record's data, and records that point at the last. */
function dnsChain(): Buffer {
  const hops = 7_000;
  const header = Buffer.from("00010000000107d000000000", "hex");
  const question = Buffer.from("0000010001", "hex");
  const start = header.length + question.length + 11;
  const chain = Buffer.alloc(2 * hops);
  for (let hop = 0; hop < hops; hop++) {
    chain.writeUInt16BE(0xc000 | (hop === 0 ? header.length : start + 2 * (hop - 1)), 2 * hop);
  }
  const holder = Buffer.from("0000100001000000000000", "hex");
  holder.writeUInt16BE(chain.length, 9);
  const last = (0xc000 | (start + 2 * (hops - 1))).toString(16);
  const record = Buffer.from(`${last}0010000100000000000100`, "hex");
  const records = Array<Buffer>(1_999).fill(record);
  return Buffer.concat([header, question, holder, chain, ...records]);
}

/** `size` bytes of codes that grow by one letter each, then of the longest one: some 3,800 letters for 12 bits. */
function lzwBomb(size: number): Buffer {
  const codes = [8, ...Array.from({ length: 3838 }, (_, index) => 258 + index)];
  const count = Math.max(codes.length, Math.floor((size * 8) / 12));
  return packCodes(count, (index) => codes[index] ?? 4095);
}

/** `plain` without any compression. */
function lzwLiteral(plain: Buffer): Buffer {
  // Each byte as its own code, the table cleared before its codes grow wider.
  const codes = [...plain].flatMap((byte, index) => (index % 200 === 0 ? [256, byte] : [byte]));
  return packCodes(codes.length + 1, (index) => codes[index] ?? 257);
}

/** Codes as bits, least significant first, as wide as a reader that defines one code each time expects them. */
function packCodes(count: number, codeAt: (index: number) => number): Buffer {
  const out = Buffer.alloc(count * 2);
  let [bits, bitCount, width, next, at] = [0, 0, 9, 257, 0];
  for (let index = 0; index < count; index++) {
    const code = codeAt(index);
    bits |= code << bitCount;
    for (bitCount += width; bitCount >= 8; bitCount -= 8, bits >>>= 8) out[at++] = bits & 255;
    next = code === 256 ? 257 : Math.min(next + 1, 4096);
    width = code === 256 ? 9 : Math.min(12, Math.max(width, next.toString(2).length));
  }
  out[at++] = bits & 255;
  return out.subarray(0, at);
}

if (import.meta.main) {
  for (const bomb of process.argv[2] === "large" ? LARGE : SMALL) {
    const bytes = bomb.bytes();
    const [before, cpu] = [process.resourceUsage().maxRSS, process.cpuUsage()];
    const result = bomb.decode(bytes);
    const ms = process.cpuUsage(cpu).user / 1000;
    const grownKiB = process.resourceUsage().maxRSS - before;
    const isRefused =
      result === undefined ||
      (typeof result === "object" && result !== null && "ok" in result && result.ok === false);
    process.stdout.write(`${JSON.stringify({ name: bomb.name, isRefused, ms, grownKiB })}\n`);
  }
}
