/**
 * A query's bytes in, the answer's bytes out. Pure.
 *
 * Invariants: an answer never answers a response (two servers would talk for ever), is never longer than its way allows, and an
 * answer that was cut says so wherever the asker can ask again by TCP.
 */
import {
  CLASS,
  type DnsMessage,
  decodeDnsMessage,
  encodeDnsMessage,
  HEADER_BYTES,
  RCODE,
  type ResourceRecord,
  TYPE,
} from "./dns-message.ts";
import type { ZoneAnswer } from "./zone.ts";

/**
 * How the query came. "diverted": the firewall turned it over on its way to another server, which TCP would reach instead of us: a
 * cut answer is then given as if whole, as a random choice of addresses.
 */
export type QueryVia = "udp" | "tcp" | "diverted";

export interface ResponderOptions {
  readonly zone: { answer(question: DnsMessage["questions"][number]): ZoneAnswer };
  readonly via: QueryVia;
  /** In [0, 1): the order of addresses is random. */
  readonly random: () => number;
}

/** What goes through any path, and what we offer. */
const PLAIN_UDP = 512;
const MAX_UDP = 1232;
const MAX_TCP = 65_535;

/** No record of an answer is shorter: a pointer to the name, type, class, TTL and length. */
const LEAST_RECORD = 12;

const NONE: readonly ResourceRecord[] = [];

/** The answer to send, or undefined when there is nobody to answer: not a query. */
export function respond(bytes: Uint8Array, options: ResponderOptions): Uint8Array | undefined {
  if (bytes.length < HEADER_BYTES || (bytes[2] ?? 0) >= 0x80) return undefined;
  const query = decodeDnsMessage(bytes);
  if (!query) return encodeDnsMessage(bare(bytes, RCODE.FORMERR));
  const options_ = query.additional.filter(({ type }) => type === TYPE.OPT);
  const [edns] = options_;
  const [question] = query.questions;
  if (query.opcode !== 0) return encodeDnsMessage(bare(bytes, RCODE.NOTIMP));
  if (!question || query.questions.length > 1 || options_.length > 1) {
    return encodeDnsMessage(bare(bytes, RCODE.FORMERR));
  }
  const badVersion = edns !== undefined && ((edns.ttl >>> 16) & 255) > 0;
  const answer: ZoneAnswer = badVersion
    ? { rcode: RCODE.BADVERS, answers: NONE, authority: NONE }
    : options.zone.answer(question);
  const room = roomOf(options.via, edns);
  // Of thousands of addresses only those are written that can fit, and one more, which says that there are others.
  const most = Math.floor(room / LEAST_RECORD) + 1;
  const whole: DnsMessage = {
    id: query.id,
    isResponse: true,
    opcode: 0,
    isAuthoritative: answer.rcode === RCODE.NOERROR || answer.rcode === RCODE.NXDOMAIN,
    isTruncated: false,
    recursionDesired: query.recursionDesired,
    recursionAvailable: false,
    rcode: answer.rcode & 15,
    questions: [question],
    answers: chosen(answer.answers, most, options.random),
    authority: answer.authority,
    additional: edns ? [ourOptions(answer.rcode)] : [],
  };
  return fitted(whole, room, options.via);
}

function roomOf(via: QueryVia, edns: ResourceRecord | undefined): number {
  if (via === "tcp") return MAX_TCP;
  return edns ? Math.min(MAX_UDP, Math.max(PLAIN_UDP, edns.class)) : PLAIN_UDP;
}

/** Drops answers from the end until the rest fits. */
function fitted(message: DnsMessage, room: number, via: QueryVia): Uint8Array {
  let bytes = encodeDnsMessage(message);
  let { answers } = message;
  while (bytes.length > room && answers.length > 0) {
    // All answers of a message are about equally long.
    const each = bytes.length / answers.length;
    const keep = Math.min(answers.length - 1, Math.floor(room / each));
    answers = answers.slice(0, keep);
    bytes = encodeDnsMessage({ ...message, answers, isTruncated: via !== "diverted" });
  }
  return bytes;
}

/** An answer to what cannot be read further than its header. */
function bare(bytes: Uint8Array, rcode: number): DnsMessage {
  return {
    id: (bytes[0] ?? 0) * 256 + (bytes[1] ?? 0),
    isResponse: true,
    opcode: ((bytes[2] ?? 0) >>> 3) & 15,
    isAuthoritative: false,
    isTruncated: false,
    recursionDesired: ((bytes[2] ?? 0) & 1) !== 0,
    recursionAvailable: false,
    rcode,
    questions: [],
    answers: NONE,
    authority: NONE,
    additional: NONE,
  };
}

function ourOptions(rcode: number): ResourceRecord {
  return {
    name: [],
    type: TYPE.OPT,
    class: MAX_UDP,
    ttl: (rcode >>> 4) * 2 ** 24,
    data: { kind: "bytes", bytes: new Uint8Array() },
  };
}

/** `most` of the items at most, in random order: the beginning of Fisher and Yates' shuffle. */
function chosen<T>(items: readonly T[], most: number, random: () => number): T[] {
  const mixed = [...items];
  const count = Math.min(most, mixed.length);
  for (let first = 0; first < count; first++) {
    const other = first + Math.floor(random() * (mixed.length - first));
    const [a, b] = [mixed[first], mixed[other]];
    if (a === undefined || b === undefined) break;
    mixed[first] = b;
    mixed[other] = a;
  }
  return mixed.slice(0, count);
}

/** A query for one name, as a client sends it; `udpSize` adds EDNS. */
export function encodeQuery(question: {
  readonly id: number;
  readonly name: readonly string[];
  readonly type: number;
  readonly udpSize?: number;
}): Uint8Array {
  const { id, name, type, udpSize } = question;
  return encodeDnsMessage({
    ...bare(new Uint8Array(HEADER_BYTES), RCODE.NOERROR),
    id,
    isResponse: false,
    recursionDesired: true,
    questions: [{ name, type, class: CLASS.IN }],
    additional: udpSize === undefined ? [] : [{ ...ourOptions(0), class: udpSize }],
  });
}
