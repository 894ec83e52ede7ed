/** Whether a container of this host may still hold an address of ours, as the kernel shows it. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Docker's name for the host's end of a container's link. */
const LINK = /^\s*(\d+: )?veth/m;

/**
 * False only when surely no container is attached to `bridge`.
 *
 * Where the host has links of containers at all, it asks `ip` rather than /sys, which shows the network namespace in which it was mounted and not
 * ours. Without the program or the bridge, any of them counts: the careful answer.
 */
export function mayHoldAddresses(bridge: string): boolean {
  const interfaces = readFileSync("/proc/self/net/dev", "utf8");
  // A host's first container, and any after a boot: nothing has to be started to see that there is none.
  if (!LINK.test(interfaces)) return false;
  const ports = spawnSync("ip", ["-o", "link", "show", "master", bridge], {
    encoding: "utf8",
    timeout: 1000,
  });
  const text = ports.status === 0 ? ports.stdout : interfaces;
  return LINK.test(text);
}
