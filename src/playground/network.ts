/**
 * The switch and the links: bridges in a namespace of their own, a pair of interfaces for each (host, link).
 *
 * Invariant: the root namespace gets no device, address, route or firewall rule, so what a Docker there does to
 * forwarding does not matter to us and nothing of ours is left in it.
 */
import { existsSync } from "node:fs";
import { HansaError } from "../errors.ts";
import { systemCommand } from "../host/command.ts";
import { type Impairments, isLinkUp, rulesOf } from "./impairment.ts";
import {
  addressOf,
  bridgeName,
  hostNetns,
  interfaceName,
  macOf,
  NETNS_DIR,
  OUTSIDE_ADDRESS,
  portName,
  switchNetns,
} from "./layout.ts";

/** Runs a program that must succeed; throws PLAYGROUND_FAILED with what it printed. */
export async function must(argv: readonly string[], stdin?: string): Promise<string> {
  const result = await systemCommand.run(argv, stdin === undefined ? {} : { stdin });
  if (result.status === 0) return result.stdout;
  const reason = result.stderr.trim().split("\n").join("; ");
  throw new HansaError("PLAYGROUND_FAILED", `${argv.join(" ")} failed: ${reason}`);
}

/** Runs `argv` inside the network namespace `netns` alone; it must succeed. */
export function mustIn(netns: string, argv: readonly string[], stdin?: string): Promise<string> {
  return must(["nsenter", `--net=${NETNS_DIR}/${netns}`, "--", ...argv], stdin);
}

/** Makes the switch: one bridge a link, and the outside address on the first. */
export async function makeSwitch(name: string, links: number): Promise<void> {
  const netns = switchNetns(name);
  await must(["ip", "netns", "add", netns]);
  const lines = ["link set lo up"];
  for (let link = 0; link < links; link += 1) {
    const bridge = bridgeName(name, link);
    lines.push(`link add ${bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`);
    lines.push(`link set ${bridge} up`);
  }
  lines.push(`address add ${OUTSIDE_ADDRESS}/24 dev ${bridgeName(name, 0)}`);
  await must(["ip", "-n", netns, "-batch", "-"], `${lines.join("\n")}\n`);
  // Forwarding and no rate limit make the switch answer "unreachable" at once for all that lies further out. It joins no
  // links: only the first bridge has an address.
  await mustIn(netns, [
    "sysctl",
    "-q",
    "-e",
    "-w",
    "net.ipv4.ip_forward=1",
    "net.ipv4.icmp_ratelimit=0",
    "net.ipv4.conf.all.send_redirects=0",
    "net.bridge.bridge-nf-call-iptables=0",
    "net.bridge.bridge-nf-call-ip6tables=0",
    "net.bridge.bridge-nf-call-arptables=0",
  ]);
}

/** Makes host `i`'s namespace with its links, unplugged (see setLinks), and its addresses. */
export async function makeHostNetwork(name: string, i: number, links: number): Promise<void> {
  const netns = hostNetns(name, i);
  await must(["ip", "netns", "add", netns]);
  const ports: string[] = [];
  const inside = ["link set lo up"];
  for (let link = 0; link < links; link += 1) {
    const port = portName(name, i, link);
    const device = interfaceName(link);
    ports.push(
      `link add ${port} type veth peer name ${device} address ${macOf(i, link)} netns ${netns}`,
      `link set ${port} master ${bridgeName(name, link)}`,
    );
    inside.push(`address add ${addressOf(i, link)}/24 broadcast + dev ${device}`);
    inside.push(`link set ${device} up`);
  }
  inside.push(`route add default via ${OUTSIDE_ADDRESS}`);
  await must(["ip", "-n", switchNetns(name), "-batch", "-"], `${ports.join("\n")}\n`);
  await must(["ip", "-n", netns, "-batch", "-"], `${inside.join("\n")}\n`);
}

/**
 * Removes both ends of each of host `i`'s links; fine when there are none.
 *
 * The kernel would remove them with the host's namespace, but only some time after its last user has gone.
 */
export async function removeLinks(name: string, i: number, links: number): Promise<void> {
  if (!hasNetns(switchNetns(name))) return;
  const ports = [...Array(links).keys()].map((link) => `link delete ${portName(name, i, link)}\n`);
  // -force: goes on after a port that is not there.
  const argv = ["ip", "-n", switchNetns(name), "-force", "-batch", "-"];
  await systemCommand.run(argv, { stdin: ports.join("") });
}

/** Plugs or unplugs each of host `i`'s links, on the switch's side; nothing happens while the host is off. */
export async function setLinks(
  name: string,
  i: number,
  links: number,
  impairments: Impairments,
): Promise<void> {
  if (!hasNetns(hostNetns(name, i))) return;
  const lines: string[] = [];
  for (let link = 0; link < links; link += 1) {
    const state = isLinkUp(i, link, impairments) ? "up" : "down";
    lines.push(`link set ${portName(name, i, link)} ${state}\n`);
  }
  await must(["ip", "-n", switchNetns(name), "-batch", "-"], lines.join(""));
}

/** Sets the whole of our nft table in host `i`'s namespace; nothing happens while the host is off. */
export async function setRules(
  name: string,
  i: number,
  size: { readonly hosts: number; readonly links: number },
  impairments: Impairments,
): Promise<void> {
  const netns = hostNetns(name, i);
  if (!hasNetns(netns)) return;
  const rules = rulesOf(i, size.hosts, size.links, impairments);
  await mustIn(netns, ["nft", "-f", "-"], rules);
}

/** Removes a named namespace, and with it every device in it. Fine when there is none. */
export async function removeNetns(netns: string): Promise<void> {
  if (hasNetns(netns)) await must(["ip", "netns", "delete", netns]);
}

export function hasNetns(netns: string): boolean {
  return existsSync(`${NETNS_DIR}/${netns}`);
}
