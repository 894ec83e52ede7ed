/**
 * Whether the cluster's subnet collides with what the host routes already, and which subnet would not. Pure.
 */
import { HansaError } from "../errors.ts";
import { type Cidr, cidrRange, formatCidr, overlaps, parseCidr } from "../values/cidr.ts";
import { TUNNEL_DEVICE } from "./process-list.ts";

/** A block that the host uses already, and what for. */
export interface UsedBlock {
  readonly block: Cidr;
  /** "the route 10.0.0.0/8 of device eth0". */
  readonly what: string;
}

const OWN_DEVICES: readonly string[] = ["hansa0", TUNNEL_DEVICE, "hansa-vx"];
const OWN_NETWORK = "hansa";

/** The flag of a route that refuses packets (RTF_REJECT of linux/route.h). */
const REJECTS = 0x200;

/**
 * The IPv4 routes in /proc/net/route, less default routes, those of our own devices, and those that lead nowhere: our own
 * unreachable routes are among these, and who refuses packets to a block has no use for it.
 */
export function usedByRoutes(table: string): UsedBlock[] {
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [device, destination = "", , flags = "", , , , mask = ""] = line.trim().split(/\s+/);
      if (device === undefined || OWN_DEVICES.includes(device)) return [];
      if ((Number.parseInt(flags, 16) & REJECTS) !== 0) return [];
      if (!/^[0-9A-F]{8}$/.test(destination) || !/^[0-9A-F]{8}$/.test(mask)) return [];
      const prefix = [...fromLittleEndian(mask).toString(2)].filter((bit) => bit === "1").length;
      if (prefix === 0) return [];
      const block = { base: fromLittleEndian(destination), prefix };
      return [{ block, what: `the route ${formatCidr(block)} of device ${device}` }];
    });
}

/** The subnets of Docker's networks, as GET /networks lists them, less our own network. Ignores what is not IPv4 or malformed. */
export function usedByDocker(networks: unknown): UsedBlock[] {
  if (!Array.isArray(networks)) return [];
  return networks.flatMap((network: unknown) => {
    const { Name, IPAM } = fields(network);
    const { Config } = fields(IPAM);
    if (typeof Name !== "string" || Name === OWN_NETWORK || !Array.isArray(Config)) return [];
    return Config.flatMap((each: unknown) => {
      const { Subnet } = fields(each);
      const block = typeof Subnet === "string" ? parseCidr(Subnet) : undefined;
      return block ? [{ block, what: `the network ${Name} (${Subnet}) of Docker` }] : [];
    });
  });
}

/** Throws SUBNET_COLLISION, naming what is in the way and proposing a subnet of the same size that is free on this host. */
export function requireFreeSubnet(subnet: Cidr, used: readonly UsedBlock[]): void {
  const [collision] = collisions(subnet, used);
  if (collision !== undefined) throw collision;
}

/** One SUBNET_COLLISION for each block that is in the way. */
export function collisions(subnet: Cidr, used: readonly UsedBlock[]): HansaError[] {
  return used
    .filter((each) => overlaps(cidrRange(each.block), cidrRange(subnet)))
    .map((inTheWay) => collision(subnet, inTheWay, used));
}

function collision(subnet: Cidr, inTheWay: UsedBlock, used: readonly UsedBlock[]): HansaError {
  const free = freeSubnet(subnet.prefix, used);
  const text = `the cluster's subnet ${formatCidr(subnet)} collides with ${inTheWay.what}`;
  return new HansaError("SUBNET_COLLISION", text, {
    hint:
      free === undefined
        ? "remove the route, or launch every node with one --subnet that all hosts have free"
        : `launch every node of the cluster with the same --subnet, for example --subnet ${formatCidr(free)}`,
  });
}

/** The first private block of that prefix which collides with nothing: 10/8, then 172.16/12, 100.64/10, 192.168/16. */
export function freeSubnet(prefix: number, used: readonly UsedBlock[]): Cidr | undefined {
  for (const text of ["10.0.0.0/8", "172.16.0.0/12", "100.64.0.0/10", "192.168.0.0/16"]) {
    const area = parseCidr(text);
    if (area === undefined || area.prefix > prefix) continue;
    const size = 2 ** (32 - prefix);
    const { start, end } = cidrRange(area);
    // The lowest block of an area is everybody's favourite, so it is the last choice.
    for (let base = start + size; base <= end; base += size) {
      const block = { base: base === end ? start : base, prefix };
      if (!used.some((each) => overlaps(cidrRange(each.block), cidrRange(block)))) return block;
    }
  }
  return undefined;
}

/** The kernel prints addresses as the machine's own integers: little-endian on all that we build for. */
function fromLittleEndian(hex: string): number {
  return Buffer.from(hex, "hex").readUInt32LE(0);
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
