/**
 * A link: one of a node's own addresses, by a number that means the same network on all nodes, and how much it is preferred.
 *
 * Invariant: what `readNodeLinks` takes has each number and each address once, in the order of numbers.
 */
import { bytesToIp, ipToBytes } from "./ip-bytes.ts";

export const MAX_LINKS = 8;
/** Of a link that was given none. Of two links the one with the higher number is used; the lower link number where they are equal. */
export const DEFAULT_LINK_PRIORITY = 1;
export const MAX_LINK_PRIORITY = 255;

export interface NodeLink {
  /** 0 to 7. Links of two nodes with one number are the two ends of one network. */
  readonly number: number;
  /** An IP literal in its canonical spelling. */
  readonly address: string;
  /** 0 to 255. */
  readonly priority: number;
}

/** What is wrong with a link's text, for a sentence "required: …, received: …". */
export interface LinkProblem {
  /** "link1". */
  readonly parameter: string;
  readonly required: string;
  readonly received: string;
}

export type LinksRead =
  | { readonly ok: true; readonly links: readonly NodeLink[] }
  | { readonly ok: false; readonly problem: LinkProblem };

/** `[address=]IP[,priority=N]`, as `--link0` and its like take it; else what is required of it. */
function parseNodeLink(number: number, text: string): NodeLink | string {
  let address: string | undefined;
  let priority: number | undefined;
  for (const [index, part] of text.split(",").entries()) {
    const equals = part.indexOf("=");
    const key = equals < 0 ? (index === 0 ? "address" : "") : part.slice(0, equals);
    const value = part.slice(equals + 1);
    if (key === "address" && address === undefined) {
      // A zone means nothing on other hosts.
      const bytes = value.includes("%") ? undefined : ipToBytes(value);
      address = bytes && bytesToIp(bytes);
      if (address === undefined) return "an IP address of this host";
    } else if (key === "priority" && priority === undefined) {
      if (!/^\d{1,3}$/.test(value) || Number(value) > MAX_LINK_PRIORITY)
        return `priority=0 to ${MAX_LINK_PRIORITY}`;
      priority = Number(value);
    } else return "[address=]IP[,priority=N]";
  }
  if (address === undefined) return "an IP address of this host";
  return { number, address, priority: priority ?? DEFAULT_LINK_PRIORITY };
}

/** The links of texts by number. The first problem, also an address that two links have. */
export function readNodeLinks(texts: Iterable<readonly [number: number, text: string]>): LinksRead {
  const links: NodeLink[] = [];
  for (const [number, received] of [...texts].sort(([a], [b]) => a - b)) {
    const link = parseNodeLink(number, received);
    const required = typeof link === "string" ? link : twinOf(links, link);
    if (typeof link === "string" || required !== undefined) {
      const problem = { parameter: `link${number}`, required: required ?? "", received };
      return { ok: false, problem };
    }
    links.push(link);
  }
  return { ok: true, links };
}

function twinOf(links: readonly NodeLink[], { address }: NodeLink): string | undefined {
  const twin = links.find((link) => link.address === address);
  return twin && `another address than link${twin.number}'s`;
}

/** Links 0, 1, … of these addresses, of equal priority: what a list of addresses alone means. */
export function plainLinks(addresses: readonly string[]): NodeLink[] {
  return addresses.map((address, number) => ({
    ...{ number, address, priority: DEFAULT_LINK_PRIORITY },
  }));
}

/** True for links that a list of their addresses alone tells. */
export function arePlain(links: readonly NodeLink[]): boolean {
  return links.every(
    ({ number, priority }, index) => number === index && priority === DEFAULT_LINK_PRIORITY,
  );
}

/** True for a well-formed link, whatever the value is. */
export function isNodeLink(value: unknown): value is NodeLink {
  if (typeof value !== "object" || value === null) return false;
  const { number, address, priority } = value as Partial<Record<keyof NodeLink, unknown>>;
  return (
    isWithin(number, MAX_LINKS - 1) &&
    isWithin(priority, MAX_LINK_PRIORITY) &&
    typeof address === "string" &&
    ipToBytes(address) !== undefined
  );
}

/** As the options say it: `192.0.2.1`, `192.0.2.1,priority=5`. */
export function formatNodeLink({ address, priority }: NodeLink): string {
  return priority === DEFAULT_LINK_PRIORITY ? address : `${address},priority=${priority}`;
}

/** `link0 192.0.2.1, link1 198.51.100.1,priority=5`; "none". */
export function formatNodeLinks(links: readonly NodeLink[]): string {
  return links.map((link) => `link${link.number} ${formatNodeLink(link)}`).join(" and ") || "none";
}

/** Where a node of these links listens: on all addresses, those of IPv6 among them only where a link has one, because not every host has IPv6. */
export function listenAddress(links: readonly Pick<NodeLink, "address">[]): "0.0.0.0" | "::" {
  return links.some(({ address }) => address.includes(":")) ? "::" : "0.0.0.0";
}

function isWithin(value: unknown, max: number): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= max;
}
