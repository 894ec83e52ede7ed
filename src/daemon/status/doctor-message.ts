/**
 * What nodes say to each other for the doctor, as JSON in an envelope of its own kind. Pure.
 *
 * An asker sends the same question over each path and in several sizes; each copy says which one it is. The asked node echoes at once over the same
 * paths, and later reports which copies arrived. Spaces behind the JSON make a copy as large as it is to be.
 *
 * Invariant: the decoder takes any bytes, is bounded, and never throws; what it returns is within the bounds below.
 */
import type { Arrivals, Attempt, Growth } from "../../doctor/facts.ts";
import type { NodeId } from "../../values/node-id.ts";

/** How a copy travels: outside of the tunnel, inside, over TCP, or passed on by another node. */
export const DOCTOR_PATHS = ["udp", "tunnel", "tcp", "detour"] as const;
export type DoctorPath = (typeof DOCTOR_PATHS)[number];

interface Copy {
  /** Whom it is for: another node passes it on. */
  readonly to: NodeId;
  /** Of the question. */
  readonly nonce: number;
  readonly path: DoctorPath;
  /** Of the whole IP datagram, in bytes; 0 over TCP and by detour. */
  readonly size: number;
  /** The sender's wall clock. */
  readonly sentMs: number;
}

export interface Ask extends Copy {
  readonly type: "ask";
  /** The asker's tunnel is not proved: counters are to be watched for longer. */
  readonly isSlow: boolean;
}

export interface Echo extends Copy {
  readonly type: "echo";
  /** When the copy that came first was sent, by the asker's clock, and when it came, by ours. */
  readonly askedMs: number;
  readonly gotMs: number;
}

export interface DoctorReportMessage {
  readonly type: "report";
  readonly to: NodeId;
  readonly nonce: number;
  readonly arrived: Arrivals;
  readonly tcp: Attempt;
  /** Of the port that relays listen on; left out without relays. */
  readonly relay?: Attempt;
  readonly traffic: Growth | null;
  readonly broken: number;
  readonly kernelMtu: number | null;
}

export type DoctorMessage = Ask | Echo | DoctorReportMessage;

/** Of gossip's 9,000, so that what arrives can be passed on in an envelope. */
const MAX_BYTES = 8_900;
const MAX_SIZES = 16;
const MAX_TEXT = 200;

/** The message in at least `bytes` bytes. */
export function encodeDoctorMessage(message: DoctorMessage, bytes = 0): Uint8Array {
  const text = JSON.stringify(message, (key, value: unknown) =>
    typeof value === "string" && (key === "tcp" || key === "relay")
      ? value.slice(0, MAX_TEXT)
      : value,
  );
  return Buffer.from(text.padEnd(bytes, " "));
}

/** The message in `bytes`, or undefined when they are none. */
export function decodeDoctorMessage(bytes: Uint8Array): DoctorMessage | undefined {
  if (bytes.length > MAX_BYTES) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined; // Not of ours, or of a later version.
  }
  if (!isRecord(value)) return undefined;
  const { type, to, nonce } = value;
  if (!isCount(to, 65_535) || !isCount(nonce, 2 ** 32 - 1)) return undefined;
  if (type === "report") return reportOf(value, to, nonce);
  const { path, size, sentMs } = value;
  if (!isPath(path) || !isCount(size, MAX_BYTES) || !isTime(sentMs)) return undefined;
  const copy = { to, nonce, path, size, sentMs };
  if (type === "ask") {
    const { isSlow } = value;
    return typeof isSlow === "boolean" ? { type, ...copy, isSlow } : undefined;
  }
  if (type !== "echo") return undefined;
  const { askedMs, gotMs } = value;
  return isTime(askedMs) && isTime(gotMs) ? { type, ...copy, askedMs, gotMs } : undefined;
}

function reportOf(
  { arrived, tcp, relay, traffic, broken, kernelMtu }: Readonly<Record<string, unknown>>,
  to: NodeId,
  nonce: number,
): DoctorReportMessage | undefined {
  if (!isRecord(arrived) || typeof arrived["tcp"] !== "boolean") return undefined;
  const { udp, tunnel } = arrived;
  if (!isSizes(udp) || !isSizes(tunnel)) return undefined;
  if (!isAttempt(tcp) || (relay !== undefined && !isAttempt(relay))) return undefined;
  if (!isCount(broken, Number.MAX_SAFE_INTEGER)) return undefined;
  if (kernelMtu !== null && !isCount(kernelMtu, 65_535)) return undefined;
  const growth = traffic === null ? null : growthOf(traffic);
  if (growth === undefined) return undefined;
  return {
    ...{ type: "report", to, nonce, tcp, traffic: growth, broken, kernelMtu },
    arrived: { udp, tunnel, tcp: arrived["tcp"] },
    ...(relay === undefined ? {} : { relay }),
  };
}

function growthOf(value: unknown): Growth | undefined {
  if (!isRecord(value)) return undefined;
  const { rx, tx } = value;
  const max = Number.MAX_SAFE_INTEGER;
  return isCount(rx, max) && isCount(tx, max) ? { rx, tx } : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

/** Any date that a clock may show, also one far off. */
function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && Math.abs(value) <= 8.64e15;
}

function isAttempt(value: unknown): value is Attempt {
  return value === null || (typeof value === "string" && value.length <= MAX_TEXT);
}

function isPath(value: unknown): value is DoctorPath {
  return DOCTOR_PATHS.some((path) => path === value);
}

function isSizes(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.length <= MAX_SIZES &&
    value.every((size) => isCount(size, MAX_BYTES))
  );
}
