/** The label in clear that begins each packet and each dialled stream: [244][length u8][label]; nothing for an empty label. */
import { MESSAGE_TYPE } from "../message.ts";
import { MAX_LABEL } from "./limits.ts";

/** The header for `label`, of no bytes when it is empty. Throws RangeError above 255 bytes. */
export function labelHeader(label: string): Uint8Array {
  const text = Buffer.from(label);
  if (text.length > MAX_LABEL) throw new RangeError(`label of ${text.length} bytes`);
  if (text.length === 0) return text;
  return Buffer.concat([Uint8Array.of(MESSAGE_TYPE.hasLabel, text.length), text]);
}

export type LabelSplit =
  /** The label was as expected; `size` bytes of it are to be skipped. */
  | { readonly kind: "match"; readonly size: number }
  | { readonly kind: "mismatch" }
  /** What is there agrees so far; more bytes are needed. */
  | { readonly kind: "incomplete" };

/** Compares the beginning of `bytes` with `header` (of labelHeader). */
export function matchLabel(bytes: Uint8Array, header: Uint8Array): LabelSplit {
  if (header.length === 0) {
    if (bytes.length === 0) return { kind: "incomplete" };
    return bytes[0] === MESSAGE_TYPE.hasLabel ? { kind: "mismatch" } : { kind: "match", size: 0 };
  }
  const common = Math.min(bytes.length, header.length);
  for (let index = 0; index < common; index++) {
    if (bytes[index] !== header[index]) return { kind: "mismatch" };
  }
  return common < header.length ? { kind: "incomplete" } : { kind: "match", size: header.length };
}
