/**
 * IPv4 addresses as unsigned 32-bit integers, the form in which rings, leases and plans compare and count.
 *
 * Dotted text exists only at the edges. `parseIpv4` accepts four decimal octets without leading zeros, so
 * that one address has one spelling.
 */

/** An IPv4 address, 0 to 2^32-1. A half-open range may end at 2^32. */
export type Ipv4 = number;

const DOT = 0x2e;
const ZERO = 0x30;

/** The address that `text` spells, or undefined when it is not four octets of 0 to 255. */
export function parseIpv4(text: string): Ipv4 | undefined {
  // By hand: every packet of gossip that leaves has an address in it, and a regular expression was 4 % of an idle node.
  if (text.length > 15) return undefined;
  let value = 0;
  let octet = -1;
  let dots = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === DOT) {
      if (octet < 0 || dots === 3) return undefined;
      value = value * 256 + octet;
      octet = -1;
      dots++;
      continue;
    }
    const digit = code - ZERO;
    if (digit < 0 || digit > 9 || octet === 0) return undefined;
    octet = octet < 0 ? digit : octet * 10 + digit;
    if (octet > 255) return undefined;
  }
  return dots === 3 && octet >= 0 ? value * 256 + octet : undefined;
}

/** The dotted form of `address`. */
export function formatIpv4(address: Ipv4): string {
  return `${Math.floor(address / 2 ** 24) % 256}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}
