/**
 * How one flat subnet is divided. Invariant: the fractions are fixed, so every node that knows the subnet
 * knows the same plan and no part of it is ever negotiated.
 *
 *     first 1/16          next 7/16             upper 8/16
 *     node addresses      fixed addresses       dynamic addresses
 *     10.32.0.0/16        10.33.0.0–10.39.…     10.40.0.0/13          for 10.32.0.0/12
 */
import { HansaError } from "../errors.ts";
import { type Cidr, cidrRange, contains, overlaps, parseCidr, type Range } from "../values/cidr.ts";
import { formatIpv4, type Ipv4 } from "../values/ipv4.ts";
import { MAX_NODE_ID, type NodeId } from "../values/node-id.ts";

export const DEFAULT_SUBNET = "10.32.0.0/12";

/** The shortest and longest prefix of a subnet: /8 is all of 10.0.0.0; /20 still has 255 node ids. */
export const SUBNET_PREFIXES = { shortest: 8, longest: 20 } as const;

/** The two rings. One code serves both; they differ only in their range. */
export const RING_NAMES = ["dynamic", "fixed"] as const;
export type RingName = (typeof RING_NAMES)[number];

export interface AddressPlan {
  readonly subnet: Cidr;
  /** The whole subnet, with its network and broadcast address. */
  readonly range: Range;
  /** Node addresses: base + id. */
  readonly nodes: Range;
  /** Addresses that users name with `--ip`. */
  readonly fixed: Range;
  /** Addresses that are given to who names none; its last one is the broadcast address, never given. */
  readonly dynamic: Range;
  /** The highest id with a node address: 65535, less for subnets smaller than /12. */
  readonly maxNodeId: NodeId;
}

/** What an address is to the plan. The network and the broadcast address are nobody's. */
export type AddressKind = "network" | "broadcast" | "node" | "fixed" | "dynamic" | "outside";

const NEVER_A_SUBNET = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"];

/** Why `text` cannot be a cluster's subnet, in words that follow its name; undefined when it can. */
export function subnetProblem(text: string): string | undefined {
  const cidr = parseCidr(text);
  if (!cidr) return "is not a block of addresses";
  const { shortest, longest } = SUBNET_PREFIXES;
  if (cidr.prefix < shortest || cidr.prefix > longest) {
    return `has a prefix outside /${shortest} to /${longest}`;
  }
  const unusable = NEVER_A_SUBNET.find((other) => {
    const block = parseCidr(other);
    return block && overlaps(cidrRange(block), cidrRange(cidr));
  });
  return unusable && `overlaps ${unusable}, which hosts cannot use`;
}

/**
 * The plan of a subnet ("10.32.0.0/12").
 * Throws IPAM_SUBNET_INVALID when it is malformed, not /8 to /20, or a block that hosts cannot use.
 */
export function addressPlan(subnet: string = DEFAULT_SUBNET): AddressPlan {
  const cidr = parseCidr(subnet);
  const problem = subnetProblem(subnet);
  if (!cidr || problem !== undefined) {
    throw new HansaError("IPAM_SUBNET_INVALID", `the subnet "${subnet}" ${problem}`);
  }
  const range = cidrRange(cidr);
  const sixteenth = (range.end - range.start) / 16;
  return {
    subnet: cidr,
    range,
    nodes: { start: range.start, end: range.start + sixteenth },
    fixed: { start: range.start + sixteenth, end: range.start + 8 * sixteenth },
    dynamic: { start: range.start + 8 * sixteenth, end: range.end },
    maxNodeId: Math.min(MAX_NODE_ID, sixteenth - 1),
  };
}

/**
 * The address of a node inside the overlay: base + id, so 10.32.hi.lo for 10.32.0.0/12.
 * Throws IPAM_ID_OUTSIDE_SUBNET when the subnet is too small for the id.
 */
export function nodeAddress(plan: AddressPlan, id: NodeId): Ipv4 {
  if (!Number.isInteger(id) || id < 1 || id > plan.maxNodeId) {
    throw new HansaError(
      "IPAM_ID_OUTSIDE_SUBNET",
      `node id ${id} has no address in ${formatIpv4(plan.subnet.base)}/${plan.subnet.prefix}, ` +
        `which holds ids 1 to ${plan.maxNodeId}`,
    );
  }
  return plan.range.start + id;
}

/** The id whose node address this is, or undefined. */
export function nodeIdOf(plan: AddressPlan, address: Ipv4): NodeId | undefined {
  const id = address - plan.range.start;
  return id >= 1 && id <= plan.maxNodeId ? id : undefined;
}

/** What `address` is to the plan. */
export function kindOf(plan: AddressPlan, address: Ipv4): AddressKind {
  if (!contains(plan.range, address)) return "outside";
  if (address === plan.range.start) return "network";
  if (address === plan.range.end - 1) return "broadcast";
  if (contains(plan.nodes, address)) return "node";
  return contains(plan.fixed, address) ? "fixed" : "dynamic";
}

/** The ring that holds `address`, or undefined for node addresses and for what is outside. */
export function ringOf(plan: AddressPlan, address: Ipv4): RingName | undefined {
  return RING_NAMES.find((name) => contains(plan[name], address));
}
