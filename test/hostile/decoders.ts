/**
 * Every decoder of the repository, with good bytes to begin from and the bounds that it promises.
 *
 * decoders.test.ts fails when src has an exported `decode…` that is not in this list.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeCaller, encodeCaller } from "../../src/api/caller-header.ts";
import { exampleJoinInfo } from "../../src/api/fake-cluster.ts";
import { decodeRecords, encodeRecords } from "../../src/certificates/certificate-record.ts";
import { decodeProbe, encodeProbe } from "../../src/daemon/data-path/tunnel-probe.ts";
import { decodeEnvelope, encodeEnvelope } from "../../src/daemon/membership/envelope.ts";
import { decodeSharedState, encodeSharedState } from "../../src/daemon/membership/shared-state.ts";
import {
  decodeDoctorMessage,
  encodeDoctorMessage,
} from "../../src/daemon/status/doctor-message.ts";
import { OutputFrameSplitter } from "../../src/docker/output-frames.ts";
import { addressPlan } from "../../src/ipam/address-plan.ts";
import { parseLeaseRecord, parseLeaseSnapshot } from "../../src/ipam/lease-record.ts";
import { decodeIpamMessage, encodeIpamMessage } from "../../src/ipam/message-codec.ts";
import { birthRing } from "../../src/ipam/ring.ts";
import {
  decodeEntries,
  encodeEntries,
  parsePersistedRings,
  ringToRows,
} from "../../src/ipam/ring-codec.ts";
import { decodeStrays, encodeStrays } from "../../src/ipam/strays.ts";
import {
  decodeJoinDocument,
  decodeJoinWord,
  encodeJoinWord,
  joinDocument,
} from "../../src/joining/join-word.ts";
import { decodeLinkProbe, encodeLinkProbe } from "../../src/links/link-probe.ts";
import { decodeRow, encodeRow, MAX_CONNECTIONS } from "../../src/membership/connection-rows.ts";
import { decodeDepartures, encodeDepartures } from "../../src/membership/departures.ts";
import { readDialerState } from "../../src/membership/dialer-state.ts";
import { decodeMetadata, encodeMetadata } from "../../src/membership/metadata.ts";
import { decodeCompound } from "../../src/membership/wire/compound.ts";
import { removeCompression } from "../../src/membership/wire/compression.ts";
import { removeCrc } from "../../src/membership/wire/crc.ts";
import { labelHeader, matchLabel } from "../../src/membership/wire/label.ts";
import { MAX_PACKET_PLAIN } from "../../src/membership/wire/limits.ts";
import { decompressLzw } from "../../src/membership/wire/lzw.ts";
import { decodeMessage } from "../../src/membership/wire/message-codec.ts";
import { decodePacket, makeEnvelope } from "../../src/membership/wire/packet.ts";
import { makeKeyring, open } from "../../src/membership/wire/security.ts";
import {
  encodeFrame as encodeStreamFrame,
  FrameReader,
} from "../../src/membership/wire/stream-frame.ts";
import { decodeStreamMessage } from "../../src/membership/wire/stream-message.ts";
import { decodeDnsMessage, encodeDnsMessage, TYPE } from "../../src/names/dns-message.ts";
import * as names from "../../src/names/name-set.ts";
import * as control from "../../src/plugin/control-codec.ts";
import { answeredIndex } from "../../src/relay/handshake-initiation.ts";
import { decodeFrame, encodeFrame, FrameSplitter } from "../../src/relay/relay-frame.ts";
import {
  decodeJournal,
  encodeJournalHead,
  encodeJournalRecord,
} from "../../src/store/mirror-journal.ts";
import { decodeNode } from "../../src/store/node-registry.ts";
import { decodeStoreCopy, encodeStoreCopy } from "../../src/store/store-copy.ts";
import { decodeWitness, encodeWitness } from "../../src/store/witness-record.ts";
import { decodeLogMessage } from "../../src/streams/log-message.ts";
import {
  decodeStreamFrame,
  encodeStreamFrame as encodeFrameOfStream,
  StreamFrameSplitter,
} from "../../src/streams/stream-frame.ts";
import { decodePax, decodeTarHeader, encodeTarHeader } from "../../src/streams/tar-header.ts";
import { plainLinks } from "../../src/values/node-link.ts";
import { CAPTURES } from "./corpus.ts";

export interface Decoder {
  /** "folder/file.ts name", as in src. */
  readonly name: string;
  /** Good bytes: each is accepted. */
  readonly seeds: readonly Uint8Array[];
  /** Its result; undefined, "refused" or `{ok: false}` for a refusal. */
  readonly decode: (bytes: Uint8Array) => unknown;
  /** Bytes of result, as `weightOf` counts them, for each byte of input, and besides; 64 and 4096 when left out. */
  readonly growth?: { readonly each: number; readonly besides: number };
}

/** A decoder of parsed JSON. */
export interface ValueDecoder {
  readonly name: string;
  /** Good values: each is accepted. */
  readonly seeds: readonly unknown[];
  readonly decode: (value: unknown) => unknown;
  /** The code of the HansaError that it throws instead of refusing, where it is documented to. */
  readonly throws?: "USAGE";
  /** It is only ever given objects. */
  readonly wantsObject?: boolean;
}

const JOIN_WORD = encodeJoinWord(joinDocument(exampleJoinInfo()));
const WIRE = join(import.meta.dirname, "../../src/membership/wire");
const PLAN = addressPlan();
const MEMBER = "7-00c0ffee";
const PACKETS = CAPTURES.filter(({ kind }) => kind === "packet");
const STREAMS = CAPTURES.filter(({ kind }) => kind === "stream");
const CLEAR = makeEnvelope("", undefined);
const KEYRING = makeKeyring([Buffer.alloc(32, 1)]);
/** The captures have keys of three sizes. */
const ALL_KEYS = makeKeyring([32, 24, 16].map((size) => Buffer.from([...Array(size).keys()])));
const SEALED = makeEnvelope("north", KEYRING);
const NONCE = Buffer.alloc(12, 9);
const PACKET_GROWTH = { each: 64, besides: 4 * MAX_PACKET_PLAIN };

const ENTRIES = encodeEntries(PLAN, [
  { start: PLAN.fixed.start, end: PLAN.fixed.start + 1, owner: 2, version: 7, free: 0 },
  { start: PLAN.dynamic.start, end: PLAN.dynamic.end, owner: 1, version: 2 ** 32 - 1, free: 9 },
]);
const ROW = encodeRow({
  owner: MEMBER,
  boot: 5,
  version: 9,
  connections: Array.from({ length: 20 }, (_, index) => ({
    peer: index + 1,
    keyFingerprint: "0123abcd",
    state: "established" as const,
    rttMs: index,
    mtu: 1420,
    backend: "relay" as const,
    via: 3,
  })),
});
const NAME_ENTRIES = names.encodeEntries([
  { container: "0123456789ab", address: PLAN.dynamic.start + 5, names: ["web", "web-1"] },
  { container: "ff23456789ab", address: PLAN.dynamic.start + 6, names: ["db"] },
]);
const NAME_SET = names.encodeNameSet({
  owner: MEMBER,
  boot: 5,
  total: 2,
  shards: [
    { shard: 1, version: 3, bytes: NAME_ENTRIES },
    { shard: 255, version: 4, bytes: NAME_ENTRIES },
  ],
});
const DEPARTURES = encodeDepartures([
  { id: 4, keyFingerprint: "00c0ffee", cause: "left", atSeconds: 1_700_000_000 },
  { id: 5, keyFingerprint: "ffffffff", cause: "taken-over", atSeconds: 0 },
]);
const CERTIFICATES = encodeRecords([
  {
    ...{ kind: "issued", serial: "10".repeat(16), name: "ada@laptop", role: "operator", node: 7 },
    ...{ at: 1_700_000_000, expires: 1_731_000_000, by: "local" },
  },
  { kind: "revoked", serial: "7f", at: 1_700_000_000, by: "root@host1", expires: 2 ** 32 - 1 },
  { kind: "shut-out", name: "eve", before: 1_700_000_000, generation: 2, at: 0, by: "local" },
]);

const TAR_HEADER = encodeTarHeader({
  ...{ type: "file", name: "etc/hosts", size: 12, mode: 0o644, mtime: 1_700_000_000, target: "" },
});

const OF_STREAMS = [
  encodeFrameOfStream({ kind: "open", json: '{"command":["sh"]}' }),
  encodeFrameOfStream({ kind: "stdin", bytes: Buffer.from("echo\n") }),
  encodeFrameOfStream({ kind: "end", of: "stdin" }),
  encodeFrameOfStream({ kind: "window", of: "stdout", bytes: 65_536 }),
  encodeFrameOfStream({ kind: "resize", rows: 24, columns: 80 }),
  encodeFrameOfStream({ kind: "exit", code: 3 }),
  encodeFrameOfStream({ kind: "alive" }),
];

/** What Go's compress/lzw wrote. */
const LZW = Object.entries(
  JSON.parse(readFileSync(join(WIRE, "golden/memberlist.json"), "utf8")) as Record<string, string>,
)
  .filter(([name]) => name.startsWith("lzw of "))
  .map(([, hex]) => Buffer.from(hex, "hex"));

export const DECODERS: readonly Decoder[] = [
  {
    name: "api/caller-header.ts decodeCaller",
    seeds: [
      { name: "ada", role: "viewer", from: "192.0.2.1", serial: "4a00ff" } as const,
      { name: "local", role: "admin", from: "unix", serial: undefined } as const,
    ].map((caller) => Buffer.from(encodeCaller(caller))),
    decode: (bytes) => decodeCaller(Buffer.from(bytes).toString("latin1")),
  },
  {
    name: "joining/join-word.ts decodeJoinDocument",
    seeds: [Buffer.from(JOIN_WORD)],
    decode: (bytes) => decodeJoinDocument(Buffer.from(bytes).toString("latin1")),
  },
  {
    name: "joining/join-word.ts decodeJoinWord",
    seeds: [Buffer.from(JOIN_WORD)],
    decode: (bytes) => decodeJoinWord(Buffer.from(bytes).toString("latin1")),
  },
  {
    name: "store/node-registry.ts decodeNode",
    seeds: [Buffer.from('{"version":1,"name":"host1","member":"1-aaaaaaaa"}')],
    decode: decodeNode,
  },
  {
    name: "store/witness-record.ts decodeWitness",
    seeds: [
      encodeWitness({ host: "box", port: 5403, key: `sha256:${"a".repeat(64)}`, raftPort: 9213 }),
    ],
    decode: decodeWitness,
  },
  {
    name: "membership/wire/packet.ts decodePacket",
    seeds: PACKETS.map(({ plain }) => plain),
    decode: (bytes) => decodePacket(bytes, CLEAR),
    growth: PACKET_GROWTH,
  },
  {
    name: "membership/wire/message-codec.ts decodeMessage",
    seeds: PACKETS.map(({ bare }) => bare).filter((bare) => bare[0] !== 7),
    decode: decodeMessage,
  },
  {
    name: "membership/wire/compound.ts decodeCompound",
    seeds: PACKETS.map(({ bare }) => bare).filter((bare) => bare[0] === 7),
    decode: decodeCompound,
  },
  {
    name: "membership/wire/compression.ts removeCompression",
    seeds: CAPTURES.map(({ plain }) => plain).filter((plain) => plain[0] === 9),
    decode: (bytes) => removeCompression(bytes, MAX_PACKET_PLAIN),
    growth: PACKET_GROWTH,
  },
  {
    name: "membership/wire/lzw.ts decompressLzw",
    seeds: LZW,
    decode: (bytes) => decompressLzw(bytes, MAX_PACKET_PLAIN) ?? "refused",
    growth: PACKET_GROWTH,
  },
  {
    name: "membership/wire/crc.ts removeCrc",
    seeds: PACKETS.map(({ plain }) => plain).filter((plain) => plain[0] === 12),
    decode: removeCrc,
  },
  {
    name: "membership/wire/label.ts matchLabel",
    seeds: [labelHeader("north")],
    decode: (bytes) => matchLabel(bytes, labelHeader("north")),
  },
  {
    name: "membership/wire/security.ts open",
    seeds: PACKETS.filter(({ envelope }) => envelope.keyring).map(({ bytes }) => bytes),
    decode: (bytes) => open(ALL_KEYS, bytes, new Uint8Array(0)),
  },
  {
    name: "membership/wire/stream-message.ts decodeStreamMessage",
    seeds: STREAMS.map(({ plain }) => plain),
    decode: decodeStreamMessage,
    growth: { each: 64, besides: 4 * MAX_PACKET_PLAIN },
  },
  {
    name: "membership/wire/stream-frame.ts FrameReader",
    seeds: [encodeStreamFrame({ type: "ping", seq: 1, node: "a" }, SEALED, true, NONCE)],
    decode: (bytes) => new FrameReader(SEALED, true).push(bytes),
  },
  {
    name: "membership/metadata.ts decodeMetadata",
    seeds: [
      encodeMetadata({
        id: 7,
        name: "host7",
        keyFingerprint: "00c0ffee",
        binding: 1,
        boot: 2,
        engineId: "ENGINE",
        role: "peer",
        links: plainLinks(["10.0.0.1", "fd00::1"]),
        ports: { gossip: 6783, overlay: 6784, api: 1443 },
        wireguardKey: Buffer.alloc(32, 3),
        version: "0.1.0",
        store: { id: "store", generation: 1 },
        encryption: "wireguard",
        subnet: PLAN.subnet,
        raftPort: 9212,
      }),
    ],
    decode: decodeMetadata,
  },
  {
    name: "membership/connection-rows.ts decodeRow",
    seeds: [ROW],
    decode: decodeRow,
    growth: { each: 64, besides: MAX_CONNECTIONS },
  },
  {
    name: "membership/departures.ts decodeDepartures",
    seeds: [DEPARTURES],
    decode: decodeDepartures,
  },
  {
    name: "certificates/certificate-record.ts decodeRecords",
    seeds: [CERTIFICATES],
    decode: decodeRecords,
  },
  {
    name: "store/mirror-journal.ts decodeJournal",
    seeds: [
      Buffer.concat([
        encodeJournalHead({ id: "a1", generation: 2 }),
        encodeJournalRecord({ type: "current", atMs: 1.7e12, revision: 8n }),
        encodeJournalRecord({
          ...{ type: "changes", atMs: 1.7e12, revision: 9n },
          changes: [
            {
              type: "put",
              entry: { key: "a", value: Buffer.from("b"), revision: 9n, created: 8n },
            },
            { type: "remove", key: "c", revision: 9n },
          ],
        }),
      ]),
    ],
    decode: decodeJournal,
  },
  {
    name: "store/store-copy.ts decodeStoreCopy",
    seeds: [
      encodeStoreCopy({
        ...{ store: { id: "a1", name: "prod", generation: 1 }, revision: 9n, takenAtMs: 1.7e12 },
        entries: ["a", "b"].map((key) => ({
          ...{ key, value: Buffer.from(key), revision: 9n, created: 8n },
        })),
      }),
    ],
    decode: decodeStoreCopy,
  },
  {
    name: "links/link-probe.ts decodeLinkProbe",
    seeds: [
      encodeLinkProbe({
        ...{ link: 7, nonce: 2 ** 32 - 1, wantsAnswer: true, inUse: true },
        ...{ echo: { nonce: 2, heldMs: 3 }, everyMs: 250 },
      }),
    ],
    decode: decodeLinkProbe,
  },
  {
    name: "daemon/data-path/tunnel-probe.ts decodeProbe",
    seeds: [encodeProbe({ nonce: 1, wantsAnswer: true, echo: { nonce: 2, heldMs: 3 } }, 60)],
    decode: decodeProbe,
  },
  {
    name: "daemon/membership/shared-state.ts decodeSharedState",
    seeds: [
      encodeSharedState({
        rings: ENTRIES,
        rows: [ROW, ROW],
        names: [NAME_SET],
        departures: DEPARTURES,
        certificates: CERTIFICATES,
      }),
    ],
    decode: decodeSharedState,
  },
  {
    name: "daemon/membership/envelope.ts decodeEnvelope",
    seeds: [encodeEnvelope({ kind: "row", sender: 7, fingerprint: "00c0ffee", body: ROW })],
    decode: decodeEnvelope,
  },
  {
    name: "daemon/status/doctor-message.ts decodeDoctorMessage",
    seeds: [
      encodeDoctorMessage(
        { type: "ask", to: 2, nonce: 5, path: "udp", size: 1400, sentMs: 1.7e12, isSlow: true },
        1_000,
      ),
      encodeDoctorMessage({
        type: "report",
        to: 2,
        nonce: 5,
        arrived: { udp: [100, 1400], tunnel: [], tcp: true },
        tcp: "refused",
        traffic: { rx: 1, tx: 2 },
        broken: 0,
        kernelMtu: null,
      }),
    ],
    decode: decodeDoctorMessage,
  },
  {
    name: "ipam/ring-codec.ts decodeEntries",
    seeds: [ENTRIES],
    decode: (bytes) => decodeEntries(PLAN, bytes),
  },
  {
    name: "ipam/message-codec.ts decodeIpamMessage",
    seeds: [
      encodeIpamMessage(PLAN, { type: "ask-space", request: 1 }),
      encodeIpamMessage(PLAN, { type: "ask-address", request: 2, address: PLAN.fixed.start }),
      encodeIpamMessage(PLAN, { type: "refused", request: 3, reason: "in-use" }),
      Buffer.concat([Buffer.of(1, 3, 0, 0, 0, 4), ENTRIES]),
    ],
    decode: (bytes) => decodeIpamMessage(PLAN, bytes),
  },
  {
    name: "ipam/strays.ts decodeStrays",
    seeds: [encodeStrays(MEMBER, [{ address: PLAN.dynamic.start, container: "web" }])],
    decode: decodeStrays,
  },
  {
    name: "relay/relay-frame.ts decodeFrame",
    seeds: [
      encodeFrame({ type: "hello", id: 7, fingerprint: "00c0ffee" }).subarray(2),
      encodeFrame({ type: "alive", wanted: true }).subarray(2),
      encodeFrame({ type: "data", from: 1, to: 2, datagram: Buffer.alloc(90, 4) }).subarray(2),
      encodeFrame({ type: "say", from: 1, to: 2, directOk: true, back: false }).subarray(2),
      encodeFrame({ type: "no-route", to: 2 }).subarray(2),
    ],
    decode: (bytes) => decodeFrame(Buffer.from(bytes)),
  },
  {
    name: "streams/stream-frame.ts decodeStreamFrame",
    seeds: OF_STREAMS.map((frame) => Buffer.concat([frame.subarray(0, 1), frame.subarray(4)])),
    decode: (bytes) => decodeStreamFrame(bytes[0] ?? 0, Buffer.from(bytes.subarray(1))),
  },
  {
    name: "streams/stream-frame.ts StreamFrameSplitter",
    seeds: [Buffer.concat([Buffer.of(1), ...OF_STREAMS])],
    decode: (bytes) => [...new StreamFrameSplitter().push(Buffer.from(bytes))],
  },
  {
    name: "streams/log-message.ts decodeLogMessage",
    seeds: [Buffer.from("\x012026-01-02T03:04:05.000000006Z a line\n"), Buffer.from("\x02more")],
    decode: (bytes) => decodeLogMessage(Buffer.from(bytes)),
  },
  {
    name: "streams/tar-header.ts decodeTarHeader",
    seeds: [TAR_HEADER],
    decode: (bytes) => decodeTarHeader(Buffer.from(bytes)),
  },
  {
    name: "streams/tar-header.ts decodePax",
    seeds: [Buffer.from("20 path=a/long/name\n12 size=512\n")],
    decode: (bytes) => decodePax(Buffer.from(bytes)),
  },
  {
    name: "docker/output-frames.ts OutputFrameSplitter",
    seeds: [
      Buffer.concat([
        Buffer.of(1, 0, 0, 0, 0, 0, 0, 2, 65, 10),
        Buffer.of(2, 0, 0, 0, 0, 0, 0, 1, 66),
      ]),
    ],
    decode: (bytes) => [...new OutputFrameSplitter().push(Buffer.from(bytes))],
  },
  {
    name: "relay/relay-frame.ts FrameSplitter",
    seeds: [encodeFrame({ type: "alive", wanted: true })],
    decode: (bytes) => [...new FrameSplitter().push(Buffer.from(bytes))],
  },
  {
    name: "relay/handshake-initiation.ts answeredIndex",
    seeds: [Buffer.concat([Buffer.of(2, 0, 0, 0, 1, 1, 1, 1, 5, 0, 0, 0), Buffer.alloc(80)])],
    decode: answeredIndex,
  },
  { name: "names/name-set.ts decodeNameSet", seeds: [NAME_SET], decode: names.decodeNameSet },
  { name: "names/name-set.ts decodeEntries", seeds: [NAME_ENTRIES], decode: names.decodeEntries },
  {
    name: "names/dns-message.ts decodeDnsMessage",
    seeds: [dnsAnswer()],
    decode: decodeDnsMessage,
    growth: { each: 64, besides: 32_768 },
  },
];

const SPACE = {
  ready: true,
  subnet: "10.32.0.0/12",
  gateway: PLAN.nodes.start + 7,
  ranges: [[PLAN.dynamic.start, PLAN.dynamic.end]],
  avoid: [[PLAN.dynamic.start, PLAN.dynamic.start + 1]],
};
const WRITTEN_SPACE = { ...SPACE, ranges: [{ start: 1, end: 9 }], avoid: [{ start: 1, end: 2 }] };

export const VALUE_DECODERS: readonly ValueDecoder[] = [
  {
    name: "plugin/control-codec.ts decodeRanges",
    seeds: [SPACE.ranges],
    decode: control.decodeRanges,
    throws: "USAGE",
  },
  {
    name: "plugin/control-codec.ts decodeSpace",
    seeds: [SPACE],
    decode: control.decodeSpace,
    throws: "USAGE",
  },
  {
    name: "plugin/control-codec.ts decodeCession",
    seeds: [
      { kind: "address", address: 5 },
      { kind: "ranges", ranges: SPACE.ranges },
      { kind: "space", within: SPACE.ranges },
    ],
    decode: control.decodeCession,
    throws: "USAGE",
  },
  {
    name: "plugin/control-codec.ts decodeAddress",
    seeds: [5],
    decode: control.decodeAddress,
    throws: "USAGE",
  },
  {
    name: "plugin/control-codec.ts decodeAddresses",
    seeds: [[5, 6]],
    decode: control.decodeAddresses,
    throws: "USAGE",
  },
  {
    name: "plugin/control-codec.ts decodeLeases",
    seeds: [[{ address: 5, since: 1, fixed: true }]],
    decode: control.decodeLeases,
    throws: "USAGE",
  },
  {
    name: "plugin/control-codec.ts decodeUsage",
    seeds: [{ free: 5, active: 1 }],
    decode: (value) => control.decodeUsage(value as Readonly<Record<string, unknown>>),
    throws: "USAGE",
    wantsObject: true,
  },
  {
    name: "ipam/lease-record.ts parseLeaseRecord",
    seeds: [
      { type: "space", space: WRITTEN_SPACE },
      { type: "leased", address: 5, atMs: 1, fixed: false },
      { type: "released", address: 5, atMs: 1 },
      { type: "ceded", ranges: [{ start: 1, end: 2 }] },
    ],
    decode: parseLeaseRecord,
  },
  {
    name: "ipam/lease-record.ts parseLeaseSnapshot",
    seeds: [{ format: 1, space: WRITTEN_SPACE, leases: [[5, 1, true]], released: [[6, 2]] }],
    decode: parseLeaseSnapshot,
  },
  {
    name: "ipam/ring-codec.ts parsePersistedRings",
    seeds: [
      {
        format: 1,
        subnet: "10.32.0.0/12",
        self: 1,
        dynamic: ringToRows(birthRing(PLAN.dynamic)),
        fixed: ringToRows(birthRing(PLAN.fixed)),
        fenced: true,
      },
    ],
    decode: (value) => parsePersistedRings(PLAN, value) ?? "refused",
  },
  {
    name: "membership/dialer-state.ts readDialerState",
    seeds: [
      {
        targets: ["a"],
        peers: [{ name: MEMBER, endpoint: { ip: "1.2.3.4", port: 5 }, lastAliveMs: 1 }],
      },
    ],
    decode: readDialerState,
  },
];

function dnsAnswer(): Uint8Array {
  const name = ["web", "hansa"];
  return encodeDnsMessage({
    id: 9,
    isResponse: true,
    opcode: 0,
    isAuthoritative: true,
    isTruncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    rcode: 0,
    questions: [{ name, type: TYPE.A, class: 1 }],
    answers: [
      { name, type: TYPE.A, class: 1, ttl: 1, data: { kind: "address", address: 5 } },
      { name, type: TYPE.PTR, class: 1, ttl: 1, data: { kind: "name", name: ["x", ...name] } },
    ],
    authority: [
      {
        name: ["hansa"],
        type: TYPE.SOA,
        class: 1,
        ttl: 1,
        data: { kind: "soa", server: name, mailbox: name, numbers: [1, 2, 3, 4, 5] },
      },
    ],
    additional: [
      {
        name: [],
        type: TYPE.OPT,
        class: 1232,
        ttl: 0,
        data: { kind: "bytes", bytes: Buffer.of(0, 10, 0, 0) },
      },
    ],
  });
}
