/**
 * Which of the host's own addresses a node announces when `launch` named none, and which addresses are its own. Pure: the caller reads
 * the host's interfaces.
 */
import type { NetworkInterfaceInfo } from "node:os";
import { type Cidr, cidrRange, contains, parseCidr } from "../../values/cidr.ts";
import { parseIpv4 } from "../../values/ipv4.ts";

export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** Devices that Docker, Hansa and other overlays make: their addresses mean nothing to other hosts. */
const VIRTUAL = /^(lo|docker\d+|br-|veth|hansa|virbr|cni|flannel|wg|tun|tap)/;

/**
 * The address to announce: one in the network of a target where there is one, else the first of a physical
 * interface in the kernel's order. Undefined on a host without any.
 */
export function announcedAddress(
  interfaces: Interfaces,
  targets: readonly string[],
  overlay: Cidr,
): string | undefined {
  const candidates = Object.entries(interfaces)
    .filter(([name]) => !VIRTUAL.test(name))
    .flatMap(([, addresses]) => addresses ?? [])
    .filter(({ family, internal, address }) => {
      const value = family === "IPv4" && !internal ? parseIpv4(address) : undefined;
      return value !== undefined && !contains(cidrRange(overlay), value);
    });
  const near = candidates.find(({ cidr, address }) =>
    targets.some((target) => sameNetwork(cidr, address, target)),
  );
  return (near ?? candidates[0])?.address;
}

function sameNetwork(cidr: string | null, address: string, target: string): boolean {
  const own = parseIpv4(address);
  const other = parseIpv4(target);
  const prefix = Number(cidr?.split("/")[1] ?? 32);
  if (own === undefined || other === undefined || own === other) return false;
  const size = 2 ** (32 - prefix);
  return Math.floor(own / size) === Math.floor(other / size);
}

/** Every address of the host itself, as text: dialling one of them on our own port is dialling ourselves. */
export function ownAddresses(interfaces: Interfaces): ReadonlySet<string> {
  return new Set(
    Object.values(interfaces).flatMap((list) => (list ?? []).map(({ address }) => address)),
  );
}

/** The name of the interface that has `address`; undefined when none has. */
export function interfaceOf(interfaces: Interfaces, address: string): string | undefined {
  return Object.entries(interfaces).find(([, list]) =>
    list?.some((entry) => entry.address === address),
  )?.[0];
}

/** True when `ip`, an IPv4 literal also in its IPv6 form, is an address of `subnet`. */
export function isInSubnet(ip: string, subnet: Cidr): boolean {
  const address = parseIpv4(ip.replace(/^::ffff:/, ""));
  return address !== undefined && contains(cidrRange(subnet), address);
}

/** The subnet as a block; launch has checked it. */
export function overlayBlock(subnet: string): Cidr {
  const block = parseCidr(subnet);
  if (!block) throw new RangeError(`subnet ${subnet}`);
  return block;
}
