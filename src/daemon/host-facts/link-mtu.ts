/**
 * The MTU of the interfaces that carry the tunnels, remembered for each address: a link that is down has no address, and the network must not be another
 * one because a cable was pulled. A daemon that starts without any has no address but loopback's, and must not take loopback's MTU for the link's.
 */
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { Logger } from "../../host/logger.ts";
import { Remembered } from "./remembered.ts";
import { interfaceOf } from "./underlay.ts";

/** Taken where no link was ever seen. */
const ETHERNET_MTU = 1500;
const MAX_MTU = 65_536;
/** Up to eight links, and gossip's own address. */
const MAX_LINKS = 9;

interface Links {
  /** The smallest, in bytes: all that former builds wrote. */
  readonly mtu: number;
  /** By address. */
  readonly links: Readonly<Record<string, number>>;
}

/** The MTU of the interface that has `address` now; undefined while none has but loopback. */
export type MtuLookup = (address: string) => number | undefined;

export class LinkMtu {
  readonly #memory: Remembered<Links>;
  readonly #lookup: MtuLookup;

  /** The memory in the file `path`; the host's interfaces by default. */
  static async load(path: string, logger: Logger, lookup?: MtuLookup): Promise<LinkMtu> {
    const memory = await Remembered.load(path, readLinks, logger);
    return new LinkMtu(memory, lookup ?? ((address) => hostMtu(address, logger)));
  }

  private constructor(memory: Remembered<Links>, lookup: MtuLookup) {
    this.#memory = memory;
    this.#lookup = lookup;
  }

  /** In bytes, the smallest of the interfaces that have `addresses`, each as it is or was seen last. */
  of(...addresses: readonly string[]): number {
    const before = this.#memory.value(undefined);
    const seen = new Map<string, number>();
    let isAnyThere = false;
    for (const address of [...new Set(addresses)].toSorted().slice(0, MAX_LINKS)) {
      const now = this.#lookup(address);
      if (now !== undefined) isAnyThere = true;
      const mtu = now ?? before?.links[address];
      if (mtu !== undefined) seen.set(address, mtu);
    }
    // Without any it may be that the addresses are unknown as well: what was known of them stays.
    const now = isAnyThere
      ? { mtu: Math.min(...seen.values()), links: Object.fromEntries(seen) }
      : undefined;
    return this.#memory.value(now)?.mtu ?? ETHERNET_MTU;
  }
}

function hostMtu(address: string, logger: Logger): number | undefined {
  const name = interfaceOf(networkInterfaces(), address);
  if (name === undefined || name === "lo") return undefined;
  try {
    const mtu = Number(readFileSync(`/sys/class/net/${name}/mtu`, "utf8"));
    return isMtu(mtu) ? mtu : undefined;
  } catch (error) {
    logger.debug("the interface's MTU cannot be read", { name, error: `${error}` });
    return undefined;
  }
}

/** Former builds wrote no `links`. */
function readLinks({ mtu, links = {} }: Readonly<Record<string, unknown>>): Links {
  if (!isMtu(mtu)) throw new RangeError("mtu");
  if (typeof links !== "object" || links === null) throw new RangeError("links");
  const entries = Object.entries(links);
  if (entries.length > MAX_LINKS) throw new RangeError("links");
  const read = entries.map(([address, each]) => {
    if (!isMtu(each)) throw new RangeError("mtu");
    return [address, each] as const;
  });
  return { mtu, links: Object.fromEntries(read) };
}

function isMtu(mtu: unknown): mtu is number {
  return typeof mtu === "number" && mtu >= 68 && mtu <= MAX_MTU;
}
