/** Names that nobody else on this host has given, made without node:crypto: to load that is a tenth of a small process's start. */

let count = 0;

/**
 * Letters, digits and hyphens, others each time in all processes of this host since its boot. Can be guessed, so it is for files in folders that are ours alone,
 * and never a secret.
 */
export function uniqueName(): string {
  count += 1;
  return [process.pid, process.hrtime.bigint(), count].map((part) => part.toString(36)).join("-");
}
