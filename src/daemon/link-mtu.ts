/**
 * The MTU of the interface that carries the tunnels, remembered: a daemon that starts while the link is down has no address but
 * loopback's, and must not take loopback's MTU for the link's, or all containers' network would seem to differ.
 */
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { Logger } from "../host/logger.ts";
import { Remembered } from "./remembered.ts";
import { interfaceOf } from "./underlay.ts";

/** Taken where no link was ever seen. */
const ETHERNET_MTU = 1500;
const MAX_MTU = 65_536;

interface Link {
  /** In bytes. */
  readonly mtu: number;
}

export class LinkMtu {
  readonly #memory: Remembered<Link>;
  readonly #logger: Logger;

  /** The memory in the file `path`. */
  static async load(path: string, logger: Logger): Promise<LinkMtu> {
    return new LinkMtu(await Remembered.load(path, readLink, logger), logger);
  }

  private constructor(memory: Remembered<Link>, logger: Logger) {
    this.#memory = memory;
    this.#logger = logger;
  }

  /** In bytes, the smallest of the interfaces that have `addresses` now; while none but loopback has, what was seen last. */
  of(...addresses: readonly string[]): number {
    const found = addresses.flatMap((address) => this.#now(address)?.mtu ?? []);
    const now = found.length === 0 ? undefined : { mtu: Math.min(...found) };
    return this.#memory.value(now)?.mtu ?? ETHERNET_MTU;
  }

  #now(address: string): Link | undefined {
    const name = interfaceOf(networkInterfaces(), address);
    if (name === undefined || name === "lo") return undefined;
    try {
      return { mtu: Number(readFileSync(`/sys/class/net/${name}/mtu`, "utf8")) };
    } catch (error) {
      this.#logger.debug("the interface's MTU cannot be read", { name, error: `${error}` });
      return undefined;
    }
  }
}

function readLink({ mtu }: Readonly<Record<string, unknown>>): Link {
  if (typeof mtu !== "number" || !(mtu >= 68 && mtu <= MAX_MTU)) throw new RangeError("mtu");
  return { mtu };
}
