/**
 * One message to its bytes (type byte, then a msgpack map of Go field names, sorted as Go's encoder sorts them) and back.
 *
 * Invariant: decodeMessage(encodeMessage(m)) equals m for each message within the limits. Decoding never throws. Unknown
 * fields are skipped, missing ones have Go's zero value, because later versions of the protocol add fields.
 * Layout after hashicorp/memberlist, net.go.
 */
import type { Endpoint } from "../../values/endpoint.ts";
import { bytesToIp, ipToBytes } from "../../values/ip-bytes.ts";
import { MESSAGE_TYPE, type Message, type Versions } from "../message.ts";
import { MAX_ERROR_TEXT, MAX_META, MAX_NAME, MAX_PACKET_PLAIN, MAX_UINT32 } from "./limits.ts";
import { FieldNames, MsgpackReader } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";

/** One for all: nothing is kept in it from one message to the next. */
const WRITER = new MsgpackWriter(2048);

/** The encoded form. Throws RangeError for a value that has none (an address that is no IP literal, a number out of range). */
export function encodeMessage(message: Message): Uint8Array {
  const out = WRITER.clear();
  out.byte(MESSAGE_TYPE[message.type]);
  switch (message.type) {
    case "ping": {
      const source = message.source;
      out
        .map(2 + sourceFields(message))
        .string("Node")
        .string(message.node);
      out.string("SeqNo").uint(message.seq);
      writeSource(out, source, message.sourceNode);
      break;
    }
    case "indirectPing":
      out
        .map(5 + sourceFields(message))
        .string("Nack")
        .bool(message.nack);
      out.string("Node").string(message.node).string("Port").uint(message.target.port);
      out.string("SeqNo").uint(message.seq);
      writeSource(out, message.source, message.sourceNode);
      out.string("Target").raw(addressBytes(message.target));
      break;
    case "ack":
      out.map(2).string("Payload").rawOrNil(message.payload).string("SeqNo").uint(message.seq);
      break;
    case "nack":
      out.map(1).string("SeqNo").uint(message.seq);
      break;
    case "suspect":
    case "dead":
      out.map(3).string("From").string(message.from);
      out.string("Incarnation").uint(message.incarnation).string("Node").string(message.node);
      break;
    case "alive":
      out.map(6).string("Addr").raw(addressBytes(message.endpoint));
      out.string("Incarnation").uint(message.incarnation);
      out.string("Meta").rawOrNil(checkedMeta(message.meta));
      out.string("Node").string(message.node).string("Port").uint(message.endpoint.port);
      out.string("Vsn").raw(Uint8Array.from(message.versions));
      break;
    case "user":
      out.append(message.payload);
      break;
    case "error":
      out.map(1).string("Error").string(message.text);
      break;
  }
  return out.bytes();
}

/** The message that `bytes` hold (type byte first), or undefined when they hold none. A payload is a view of `bytes`. */
export function decodeMessage(bytes: Uint8Array): Message | undefined {
  if (bytes[0] === MESSAGE_TYPE.user) return { type: "user", payload: bytes.subarray(1) };
  const reader = new MsgpackReader(bytes, 1);
  const fields = new Fields(reader);
  switch (bytes[0]) {
    case MESSAGE_TYPE.ping:
      return fields.finish({
        type: "ping",
        seq: fields.seq,
        node: fields.node,
        ...fields.sourceParts(),
      });
    case MESSAGE_TYPE.indirectPing: {
      const target = endpointOf(fields.target, fields.port);
      if (target === undefined) return undefined;
      const { seq, node, nack } = fields;
      return fields.finish({
        type: "indirectPing",
        seq,
        target,
        node,
        nack,
        ...fields.sourceParts(),
      });
    }
    case MESSAGE_TYPE.ack:
      return fields.finish({ type: "ack", seq: fields.seq, payload: fields.payload });
    case MESSAGE_TYPE.nack:
      return fields.finish({ type: "nack", seq: fields.seq });
    case MESSAGE_TYPE.suspect:
    case MESSAGE_TYPE.dead: {
      if (fields.node === "") return undefined;
      const type = bytes[0] === MESSAGE_TYPE.dead ? "dead" : "suspect";
      const { incarnation, node, from } = fields;
      return fields.finish({ type, incarnation, node, from });
    }
    case MESSAGE_TYPE.alive: {
      const endpoint = endpointOf(fields.addr, fields.port);
      if (endpoint === undefined || fields.node === "") return undefined;
      const { incarnation, node, meta, versions } = fields;
      return fields.finish({ type: "alive", incarnation, node, endpoint, meta, versions });
    }
    case MESSAGE_TYPE.error:
      return fields.finish({ type: "error", text: fields.error });
    default:
      return undefined;
  }
}

/** The raw address of `endpoint`. Throws RangeError when its ip is no literal. */
export function addressBytes(endpoint: Endpoint): Uint8Array {
  const bytes = ipToBytes(endpoint.ip);
  if (bytes === undefined) throw new RangeError(`"${endpoint.ip}" is no IP address`);
  return bytes;
}

/** The endpoint of a raw address and port, or undefined when either is unusable. */
export function endpointOf(address: Uint8Array, port: number): Endpoint | undefined {
  const ip = bytesToIp(address);
  return ip === undefined || port === 0 ? undefined : { ip, port };
}

/** `meta`, or RangeError above the 512 bytes that memberlist allows. */
export function checkedMeta(meta: Uint8Array): Uint8Array {
  if (meta.length > MAX_META) throw new RangeError(`metadata of ${meta.length} bytes`);
  return meta;
}

/** Versions as the wire has them; zeros when the sender is too old to give them. */
export function versionsOf(raw: Uint8Array): Versions {
  if (raw.length < 6) return NO_VERSIONS;
  return [raw[0]!, raw[1]!, raw[2]!, raw[3]!, raw[4]!, raw[5]!];
}

interface Sourced {
  readonly source?: Endpoint;
  readonly sourceNode?: string;
}

function sourceFields(message: Sourced): number {
  return (message.source === undefined ? 0 : 2) + (message.sourceNode ? 1 : 0);
}

function writeSource(out: MsgpackWriter, source?: Endpoint, node?: string): void {
  if (source !== undefined) out.string("SourceAddr").raw(addressBytes(source));
  if (node) out.string("SourceNode").string(node);
  if (source !== undefined) out.string("SourcePort").uint(source.port);
}

const NONE = new Uint8Array(0);

const FIELD_NAMES = new FieldNames([
  "SeqNo",
  "Node",
  "From",
  "Incarnation",
  "Addr",
  "Target",
  "Port",
  "Meta",
  "Payload",
  "Vsn",
  "Nack",
  "Error",
  "SourceAddr",
  "SourcePort",
  "SourceNode",
]);
const NO_VERSIONS: Versions = [0, 0, 0, 0, 0, 0];

/** The union of the fields of all messages: their names mean the same everywhere. */
class Fields {
  seq = 0;
  node = "";
  from = "";
  incarnation = 0;
  addr: Uint8Array = NONE;
  target: Uint8Array = NONE;
  port = 0;
  meta: Uint8Array = NONE;
  payload: Uint8Array = NONE;
  versions: Versions = NO_VERSIONS;
  nack = false;
  error = "";
  sourceAddr: Uint8Array = NONE;
  sourcePort = 0;
  sourceNode = "";
  readonly #reader: MsgpackReader;

  constructor(reader: MsgpackReader) {
    this.#reader = reader;
    const size = reader.mapSize(32);
    for (let index = 0; index < size && !reader.failed; index++)
      this.#read(reader.fieldName(FIELD_NAMES));
  }

  /** `message`, unless something in it could not be read. */
  finish(message: Message): Message | undefined {
    return this.#reader.failed ? undefined : message;
  }

  sourceParts(): Sourced {
    const source = endpointOf(this.sourceAddr, this.sourcePort);
    return {
      ...(source === undefined ? {} : { source }),
      ...(this.sourceNode === "" ? {} : { sourceNode: this.sourceNode }),
    };
  }

  #read(key: string): void {
    const reader = this.#reader;
    switch (key) {
      case "SeqNo":
        this.seq = reader.uint(MAX_UINT32);
        break;
      case "Node":
        this.node = reader.string(MAX_NAME);
        break;
      case "From":
        this.from = reader.string(MAX_NAME);
        break;
      case "Incarnation":
        this.incarnation = reader.uint(MAX_UINT32);
        break;
      case "Addr":
        this.addr = reader.raw(16);
        break;
      case "Target":
        this.target = reader.raw(16);
        break;
      case "Port":
        this.port = reader.uint(65_535);
        break;
      case "Meta":
        // Copied: the member table keeps it, and a view would keep the whole packet.
        this.meta = new Uint8Array(reader.raw(MAX_META));
        break;
      case "Payload":
        this.payload = reader.raw(MAX_PACKET_PLAIN);
        break;
      case "Vsn":
        this.versions = versionsOf(reader.raw(16));
        break;
      case "Nack":
        this.nack = reader.bool();
        break;
      case "Error":
        this.error = reader.string(MAX_ERROR_TEXT);
        break;
      case "SourceAddr":
        this.sourceAddr = reader.raw(16);
        break;
      case "SourcePort":
        this.sourcePort = reader.uint(65_535);
        break;
      case "SourceNode":
        this.sourceNode = reader.string(MAX_NAME);
        break;
      default:
        reader.skip();
    }
  }
}
