/**
 * From what `ip` and `bridge` show of the VXLAN device to the commands that make it what the config says. Pure.
 *
 * Invariants: neighbours and forwarding entries are set whole, so entries of others (a flooding one among them) go; a device that cannot be
 * changed in place is made anew, and who calls sets its routes again.
 */
import { isIP } from "node:net";
import type { VxlanTunnel } from "./overlay-config.ts";

export interface SeenVxlan {
  readonly vni: number;
  readonly port: number;
  readonly local: string;
  readonly mac: string;
  readonly learning: boolean;
  readonly up: boolean;
  /** MAC by node address. */
  readonly neighbours: ReadonlyMap<string, string>;
  readonly forwarding: readonly Forwarding[];
}

export interface Forwarding {
  readonly mac: string;
  readonly ip: string;
  readonly port: number;
}

export interface VxlanChange {
  /** Lines for `ip -batch -`, carried out first. */
  readonly ip: readonly string[];
  /** Lines for `bridge -batch -`. */
  readonly bridge: readonly string[];
}

/** What `ip -json -details -force -batch -` is asked; a missing device is an empty answer. */
export function vxlanQuery(device: string): string {
  return `link show dev ${device}\nneighbour show dev ${device} nud permanent\n`;
}

/** The device in the answers of `ip` (one JSON array a line) and of `bridge -json fdb show dev …`; undefined while there is none. */
export function parseVxlan(
  ipText: string,
  bridgeText: string,
  device: string,
): SeenVxlan | "other" | undefined {
  const items = ipText.split("\n").flatMap((line): IpItem[] => jsonArray(line));
  const link = items.find(({ ifname }) => ifname === device);
  if (link === undefined) return undefined;
  const data = link.linkinfo?.info_kind === "vxlan" ? link.linkinfo.info_data : undefined;
  if (data === undefined) return "other";
  const port = data.port ?? 0;
  const neighbours = new Map<string, string>();
  for (const { dst, lladdr } of items) if (dst && lladdr) neighbours.set(dst, lladdr);
  const entries: BridgeItem[] = jsonArray(bridgeText.trim());
  return {
    vni: data.id ?? 0,
    port,
    local: data.local ?? data.local6 ?? "",
    mac: link.address ?? "",
    learning: data.learning ?? true,
    up: link.flags?.includes("UP") ?? false,
    neighbours,
    forwarding: entries
      .filter(({ mac, dst }) => mac && dst)
      .map((entry) => ({ mac: entry.mac ?? "", ip: entry.dst ?? "", port: entry.port ?? port })),
  };
}

interface IpItem {
  readonly ifname?: string;
  readonly address?: string;
  readonly flags?: readonly string[];
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: {
      readonly id?: number;
      readonly port?: number;
      readonly local?: string;
      readonly local6?: string;
      readonly learning?: boolean;
    };
  };
  readonly dst?: string;
  readonly lladdr?: string;
}

interface BridgeItem {
  readonly mac?: string;
  readonly dst?: string;
  readonly port?: number;
}

function jsonArray<T>(text: string): T[] {
  return text.startsWith("[") ? JSON.parse(text) : [];
}

/** The commands that take the device from `seen` to `wanted`, or undefined when nothing differs. `mtu` is that of a device made now. */
export function planVxlan(
  wanted: VxlanTunnel,
  seen: SeenVxlan | "other" | undefined,
  mtu: number,
): VxlanChange | undefined {
  const kept = seen === undefined || seen === "other" || mustBeNew(wanted, seen) ? undefined : seen;
  const ip: string[] = [];
  const bridge: string[] = [];
  const { device } = wanted;
  if (kept === undefined) {
    if (seen !== undefined) ip.push(`link delete dev ${device}`);
    ip.push(...making(wanted, mtu));
  } else {
    if (kept.mac !== wanted.mac) ip.push(`link set dev ${device} address ${wanted.mac}`);
    if (kept.local !== wanted.local) {
      ip.push(`link set dev ${device} type vxlan id ${wanted.vni} local ${wanted.local}`);
    }
    if (!kept.up) ip.push(`link set dev ${device} up`);
  }
  const neighbours = new Map(kept?.neighbours);
  for (const { address, mac } of wanted.peers) {
    if (neighbours.get(address) !== mac) {
      ip.push(`neighbour replace ${address} lladdr ${mac} dev ${device} nud permanent`);
    }
    neighbours.delete(address);
  }
  for (const address of neighbours.keys()) ip.push(`neighbour delete ${address} dev ${device}`);
  const excess = new Map((kept?.forwarding ?? []).map((entry) => [entryText(entry), entry]));
  const missing: string[] = [];
  for (const { mac, ip: to, port } of wanted.peers) {
    const text = entryText({ mac, ip: to, port });
    // Of one MAC there may be several entries, and a packet takes any.
    if (!excess.delete(text)) missing.push(`fdb append ${text} dev ${device} self permanent`);
  }
  for (const entry of excess.values()) bridge.push(`fdb delete ${entryText(entry)} dev ${device}`);
  bridge.push(...missing);
  return ip.length === 0 && bridge.length === 0 ? undefined : { ip, bridge };
}

/** What the kernel does not change on a device that exists. */
function mustBeNew(wanted: VxlanTunnel, seen: SeenVxlan): boolean {
  return (
    seen.vni !== wanted.vni ||
    seen.port !== wanted.port ||
    seen.learning ||
    isIP(seen.local) !== isIP(wanted.local)
  );
}

function making({ device, vni, port, mac, local }: VxlanTunnel, mtu: number): string[] {
  // A zero outer checksum is allowed where the inner packet has its own; peers over IPv6 must be told to take it.
  const from = local === "" ? "" : ` local ${local}`;
  const checksum = isIP(local) === 6 ? "udp6zerocsumrx" : "noudpcsum";
  return [
    `link add dev ${device} address ${mac} mtu ${mtu} type vxlan id ${vni}${from} dstport ${port} nolearning ttl 64 ${checksum}`,
    // The tunnel carries no IPv6, so it needs no link-local address announcing itself.
    `link set dev ${device} addrgenmode none`,
    `link set dev ${device} up`,
  ];
}

function entryText({ mac, ip, port }: Forwarding): string {
  return `${mac} dst ${ip} port ${port}`;
}
