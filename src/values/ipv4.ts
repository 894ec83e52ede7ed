/**
 * IPv4 addresses as unsigned 32-bit integers, the form in which rings, leases and plans compare and count.
 *
 * Dotted text exists only at the edges. `parseIpv4` accepts four decimal octets without leading zeros, so
 * that one address has one spelling.
 */

/** An IPv4 address, 0 to 2^32-1. A half-open range may end at 2^32. */
export type Ipv4 = number;

const DOTTED = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;

/** The address that `text` spells, or undefined when it is not four octets of 0 to 255. */
export function parseIpv4(text: string): Ipv4 | undefined {
  const match = DOTTED.exec(text);
  if (!match) return undefined;
  let value = 0;
  for (const octet of match.slice(1)) {
    const number = Number(octet);
    if (number > 255) return undefined;
    value = value * 256 + number;
  }
  return value;
}

/** The dotted form of `address`. */
export function formatIpv4(address: Ipv4): string {
  return `${Math.floor(address / 2 ** 24) % 256}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}
