/**
 * A context as two words that may be sent apart: a blob and its key. Pure.
 *
 * The blob is the context's JSON, deflated, sealed by AES-256-GCM under a key of its own, with version and nonce before it, in hex. Invariant: who
 * has one of the two words has nothing, and a change of any digit of either is noticed.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { HansaError } from "../errors.ts";
import { type ClusterContext, parseContext } from "./context.ts";

const CIPHER = "aes-256-gcm";
export const KEY_BYTES = 32;
export const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FORMAT = 1;
const MAX_BLOB_HEX = 131_072;
const MAX_JSON = 262_144;

/** The two words; `key` and `nonce` must be fresh random bytes, never used before. */
export function sealContext(
  context: ClusterContext,
  key: Uint8Array,
  nonce: Uint8Array,
): { readonly blob: string; readonly key: string } {
  const head = Buffer.concat([Buffer.of(FORMAT), nonce]);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(head);
  const body = deflateRawSync(JSON.stringify(context));
  const sealed = Buffer.concat([head, cipher.update(body), cipher.final(), cipher.getAuthTag()]);
  return { blob: sealed.toString("hex"), key: Buffer.from(key).toString("hex") };
}

/** The context in a blob. Throws CONTEXT_BLOB_INVALID: in one sentence, whatever was changed. */
export function openContext(blob: string, key: string): ClusterContext {
  if (!/^[0-9a-f]{64}$/i.test(key)) invalid("the key is not 64 hex digits");
  if (blob.length > MAX_BLOB_HEX || !/^([0-9a-f]{2})+$/i.test(blob)) {
    invalid("the blob is not the hex digits that an export prints");
  }
  const bytes = Buffer.from(blob, "hex");
  const headBytes = 1 + NONCE_BYTES;
  if (bytes.length < headBytes + TAG_BYTES) invalid("the blob is cut short");
  if (bytes[0] !== FORMAT) invalid("the blob is of a version that this hansa does not know");
  const nonce = bytes.subarray(1, headBytes);
  const decipher = createDecipheriv(CIPHER, Buffer.from(key, "hex"), nonce, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(bytes.subarray(0, headBytes));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const body = Buffer.concat([
      decipher.update(bytes.subarray(headBytes, -TAG_BYTES)),
      decipher.final(),
    ]);
    const text = inflateRawSync(body, { maxOutputLength: MAX_JSON }).toString("utf8");
    const context = parseContext(JSON.parse(text));
    if (context !== undefined) return context;
  } catch (cause) {
    throw new HansaError(
      "CONTEXT_BLOB_INVALID",
      "blob and key do not belong together, or one was changed",
      {
        cause,
      },
    );
  }
  return invalid("the blob holds no context");
}

function invalid(sentence: string): never {
  throw new HansaError("CONTEXT_BLOB_INVALID", sentence);
}
