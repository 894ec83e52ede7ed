/**
 * Takes secrets out of texts that leave a host. Pure.
 *
 * Invariant: none of the secrets that it is given remains, in none of the encodings in which a program would print it. Beyond those it takes out
 * what looks like one, because logs and settings of other programs are among the texts: rather a gap too many than one too few.
 */

export const GAP = "[redacted]";

/** Shorter ones would be found everywhere. */
const LEAST_BYTES = 6;

/** A private key in PEM, also one whose end was cut off, and one with its newlines written as \n. */
const PEM = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;
/** `token=x`, `"password": "x"`, `--token x`, `PrivateKey = x`: the name stays. */
const NAMED =
  /((?:token|secret|passw(?:or)?d|passphrase|private[_-]?key|preshared[_-]?key|authorization|api[_-]?key)["']?(?:\s*[=:]\s*|\s+)["']?(?:bearer |basic )?)(?!\[redacted\])[^\s"',;}&]{4,}/gi;
/** `https://user:password@host`. */
const IN_URL = /(:\/\/)[^\s/:@]+:[^\s/@]+@/g;

/** Spellings of a secret: as it is, in hex, and in both kinds of base64, without padding. */
export function spellings(secret: Uint8Array): string[] {
  const bytes = Buffer.from(secret.buffer, secret.byteOffset, secret.byteLength);
  if (bytes.length < LEAST_BYTES) return [];
  const text = bytes.toString("utf8");
  const isText = Buffer.from(text, "utf8").equals(bytes);
  const base64 = bytes.toString("base64").replace(/=+$/, "");
  const hex = bytes.toString("hex");
  return [...new Set([hex, hex.toUpperCase(), base64, bytes.toString("base64url")])].concat(
    isText ? [text] : [],
  );
}

/** `text` with `secrets` (see `spellings`) and what looks like one replaced by GAP. */
export function redact(text: string, secrets: readonly string[]): string {
  let left = text;
  for (const secret of secrets) left = left.replaceAll(secret, GAP);
  return left.replace(PEM, GAP).replace(NAMED, `$1${GAP}`).replace(IN_URL, `$1${GAP}@`);
}
