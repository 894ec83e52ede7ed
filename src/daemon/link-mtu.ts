/** The MTU of the interface that has an address, read from the kernel. */
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { Logger } from "../host/logger.ts";
import { interfaceOf } from "./underlay.ts";

/** Taken where the interface's own cannot be read. */
const ETHERNET_MTU = 1500;

/** In bytes; that of Ethernet while no interface has the address. */
export function linkMtu(address: string, logger: Logger): number {
  const name = interfaceOf(networkInterfaces(), address);
  if (name === undefined) return ETHERNET_MTU;
  try {
    return Number(readFileSync(`/sys/class/net/${name}/mtu`, "utf8")) || ETHERNET_MTU;
  } catch (error) {
    logger.debug("the interface's MTU cannot be read", { name, error: `${error}` });
    return ETHERNET_MTU;
  }
}
