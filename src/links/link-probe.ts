/**
 * What a link's probe says on the wire: which link, its number, what was last heard of the other end on that link, and when the next comes.
 *
 * Two ends that probe each other need no answers: each probe carries the number of the last one that came and for how long it lay there.
 */
import { MAX_LINKS } from "../values/node-link.ts";

/** u8 link, u8 flags, u32 number, u32 number heard, u16 held, u16 pace; both in milliseconds; big endian. Later fields are appended. */
export const LINK_PROBE_BYTES = 14;
const WANTS_ANSWER = 1;
const IN_USE = 2;
const HAS_ECHO = 4;
const MAX_MS = 0xff_ff;

export interface LinkProbeBody {
  /** The link's number, 0 to 7. */
  readonly link: number;
  /** 32 bits. */
  readonly nonce: number;
  /** True where the other end should send one of its own at once. */
  readonly wantsAnswer: boolean;
  /** Whoever sent it sends its traffic on this link. */
  readonly inUse: boolean;
  /** The number that came last on this link, and how long ago in milliseconds; at most 65 s are told. */
  readonly echo: { readonly nonce: number; readonly heldMs: number } | undefined;
  /** The next probe on this link is sent within so long, in milliseconds. */
  readonly everyMs: number;
}

export function encodeLinkProbe(body: LinkProbeBody): Uint8Array {
  const bytes = Buffer.alloc(LINK_PROBE_BYTES);
  const { link, nonce, wantsAnswer, inUse, echo, everyMs } = body;
  bytes[0] = link;
  bytes[1] = (wantsAnswer ? WANTS_ANSWER : 0) | (inUse ? IN_USE : 0) | (echo ? HAS_ECHO : 0);
  bytes.writeUInt32BE(nonce, 2);
  bytes.writeUInt32BE(echo?.nonce ?? 0, 6);
  bytes.writeUInt16BE(Math.min(MAX_MS, Math.round(echo?.heldMs ?? 0)), 10);
  bytes.writeUInt16BE(Math.min(MAX_MS, Math.round(everyMs)), 12);
  return bytes;
}

/** Undefined when `bytes` cannot be one. */
export function decodeLinkProbe(bytes: Uint8Array): LinkProbeBody | undefined {
  const [link = MAX_LINKS, flags = 0] = bytes;
  if (bytes.length < LINK_PROBE_BYTES || link >= MAX_LINKS) return undefined;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const echo = { nonce: view.readUInt32BE(6), heldMs: view.readUInt16BE(10) };
  return {
    link,
    nonce: view.readUInt32BE(2),
    wantsAnswer: (flags & WANTS_ANSWER) !== 0,
    inUse: (flags & IN_USE) !== 0,
    echo: (flags & HAS_ECHO) === 0 ? undefined : echo,
    everyMs: view.readUInt16BE(12),
  };
}
