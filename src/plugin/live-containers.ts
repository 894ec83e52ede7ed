/** Whether a container of this host may still hold an address of ours, as the kernel shows it. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Docker's name for the host's end of a container's link. */
const LINK = /^\s*(\d+: )?veth/m;

/**
 * False only when surely no container is attached to `bridge`.
 *
 * Asks `ip` rather than /sys, which shows the network namespace in which it was mounted and not ours. Without the program
 * or the bridge, any container's link on the host counts: the careful answer.
 */
export function mayHoldAddresses(bridge: string): boolean {
  const ports = spawnSync("ip", ["-o", "link", "show", "master", bridge], {
    encoding: "utf8",
    timeout: 1000,
  });
  const text = ports.status === 0 ? ports.stdout : readFileSync("/proc/self/net/dev", "utf8");
  return LINK.test(text);
}
