/**
 * One message of a container's log as it travels in a frame: a byte that tells where it was written, then Docker's time, a space, and the text. Pure.
 *
 * Invariant: decoding never throws; what has no time is no message.
 */

export interface LogMessage {
  readonly kind: "stdout" | "stderr";
  /** It goes on where the one before ended, whose text was too long for one frame. */
  readonly isMore: boolean;
  /** As Docker wrote it: "2026-01-02T03:04:05.000000006Z". Empty with `isMore`. */
  readonly at: string;
  /** With its line's end, if Docker saw one. */
  readonly text: Buffer;
}

const STDERR = 1;
const MORE = 2;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d) /;
const MAX_TIME = 40;

/** Parts of `bytes`, which begin with their time and a space, none longer than `most`. */
export function* encodeLogMessage(
  kind: LogMessage["kind"],
  bytes: Buffer,
  most: number,
): Generator<Buffer> {
  const flags = kind === "stderr" ? STDERR : 0;
  for (let at = 0; at === 0 || at < bytes.length; at += most - 1) {
    yield Buffer.concat([
      Buffer.of(flags | (at > 0 ? MORE : 0)),
      bytes.subarray(at, at + most - 1),
    ]);
  }
}

/** Undefined when it is none. The text is a view. */
export function decodeLogMessage(bytes: Buffer): LogMessage | undefined {
  const flags = bytes[0];
  if (flags === undefined || flags > (STDERR | MORE)) return undefined;
  const kind = (flags & STDERR) === 0 ? "stdout" : "stderr";
  if ((flags & MORE) !== 0) return { kind, isMore: true, at: "", text: bytes.subarray(1) };
  const time = TIME.exec(bytes.toString("latin1", 1, 1 + MAX_TIME))?.[0];
  if (time === undefined) return undefined;
  return { kind, isMore: false, at: time.slice(0, -1), text: bytes.subarray(1 + time.length) };
}

/** Nanoseconds since 1970 of a time as Docker writes it. Throws RangeError for what is none. */
export function nanosOf(at: string): bigint {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(at);
  const ms = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN;
  if (Number.isNaN(ms)) throw new RangeError(`${JSON.stringify(at)} is no time`);
  return BigInt(ms) * 1_000_000n + BigInt((match?.[2] ?? "").padEnd(9, "0"));
}

/** "seconds.nanoseconds" since 1970, as Docker's `since` wants it. Times before 1970 are 1970. */
export function dockerTime(nanos: bigint): string {
  const from = nanos < 0n ? 0n : nanos;
  return `${from / 1_000_000_000n}.${`${from % 1_000_000_000n}`.padStart(9, "0")}`;
}
