/**
 * What a tunnel's probe says on the wire: its number, what it last heard of the other end, and whether it wants an answer at once.
 *
 * Two ends that probe each other at the same pace need no answers: each probe carries the number of the last one that came, and for
 * how long it lay there. That is one packet a second each way where question and answer would be two.
 */

/** u32 number, u8 flags, u32 number heard, u16 held in tenths of a millisecond; big endian. The rest fills the packet. */
export const PROBE_HEADER_BYTES = 11;
const NUMBER_BYTES = 4;
const WANTS_ANSWER = 1;
const HAS_ECHO = 2;
/** Always set, so that flags are told from the padding of earlier builds. */
const HAS_FLAGS = 4;
const MAX_TENTHS = 0xff_ff;

export interface ProbeEcho {
  /** The number that came last from the other end. */
  readonly nonce: number;
  /** How long ago, in milliseconds; at most 6.5 s are told. */
  readonly heldMs: number;
}

export interface ProbeBody {
  /** 32 bits. */
  readonly nonce: number;
  /** True where the other end should send the whole body back at once. */
  readonly wantsAnswer: boolean;
  readonly echo: ProbeEcho | undefined;
}

/** A body of `size` bytes, at least the header's. */
export function encodeProbe({ nonce, wantsAnswer, echo }: ProbeBody, size: number): Uint8Array {
  const bytes = Buffer.alloc(Math.max(PROBE_HEADER_BYTES, size));
  bytes.writeUInt32BE(nonce, 0);
  bytes[4] = HAS_FLAGS | (wantsAnswer ? WANTS_ANSWER : 0) | (echo ? HAS_ECHO : 0);
  bytes.writeUInt32BE(echo?.nonce ?? 0, 5);
  bytes.writeUInt16BE(Math.min(MAX_TENTHS, Math.round((echo?.heldMs ?? 0) * 10)), 9);
  return bytes;
}

/** Undefined when `bytes` cannot be one. A number and nothing after it but zeros, as earlier builds send it, wants an answer. */
export function decodeProbe(bytes: Uint8Array): ProbeBody | undefined {
  if (bytes.length < NUMBER_BYTES) return undefined;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const nonce = view.readUInt32BE(0);
  const flags = view[4] ?? 0;
  if (bytes.length < PROBE_HEADER_BYTES || (flags & HAS_FLAGS) === 0) {
    return { nonce, wantsAnswer: true, echo: undefined };
  }
  const echo =
    (flags & HAS_ECHO) === 0
      ? undefined
      : { nonce: view.readUInt32BE(5), heldMs: view.readUInt16BE(9) / 10 };
  return { nonce, wantsAnswer: (flags & WANTS_ANSWER) !== 0, echo };
}
