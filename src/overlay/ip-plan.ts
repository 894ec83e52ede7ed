/**
 * From what `ip` shows to the commands that make it what the config says, as lines for `ip -batch -`.
 *
 * Invariant: only routes with our own protocol number are read and deleted, so everybody else's stay. The tunnel carries the node
 * address as a /32 as well as the bridge, so that it is there before and without Docker.
 */
import { formatCidr, parseCidr } from "../values/cidr.ts";
import type { OverlayConfig, Route } from "./overlay-config.ts";

/** Marks our routes, as `ip route` prints it: "proto 219". Not in the kernel's, iproute2's or a known routing daemon's list. */
export const ROUTE_PROTOCOL = 219;

export interface SeenLink {
  readonly mtu: number;
  readonly up: boolean;
  /** IPv4 addresses with prefix length. */
  readonly addresses: readonly string[];
}

export interface SeenRoute {
  readonly device: string | null;
  readonly source: string;
  /** The next hop; empty without. */
  readonly via: string;
}

export interface SeenNetwork {
  readonly links: ReadonlyMap<string, SeenLink>;
  /** Our routes by destination. */
  readonly routes: ReadonlyMap<string, SeenRoute>;
}

export interface IpChange {
  /** Commands without the leading `ip`; empty when nothing differs. */
  readonly lines: readonly string[];
  readonly changed: readonly string[];
  readonly problems: readonly string[];
}

/** What `ip -json -force -batch -` is asked; a missing interface is an empty answer. */
export function ipQuery(devices: readonly string[]): string {
  return [
    ...devices.map((device) => `address show dev ${device}`),
    `route show table main proto ${ROUTE_PROTOCOL}`,
    "",
  ].join("\n");
}

/** The answer to `ipQuery`: one JSON array a line. */
export function parseIp(text: string): SeenNetwork {
  const links = new Map<string, SeenLink>();
  const routes = new Map<string, SeenRoute>();
  for (const line of text.split("\n")) {
    if (!line.startsWith("[")) continue;
    const items: readonly IpItem[] = JSON.parse(line);
    for (const item of items) {
      if (item.ifname !== undefined) {
        const addresses = (item.addr_info ?? []).filter((each) => each.family === "inet");
        links.set(item.ifname, {
          mtu: item.mtu ?? 0,
          up: item.flags?.includes("UP") ?? false,
          addresses: addresses.map((each) => `${each.local}/${each.prefixlen}`),
        });
      } else if (item.dst !== undefined) {
        const device = item.type === "unreachable" ? null : (item.dev ?? "");
        const destination = item.dst.includes("/") ? item.dst : `${item.dst}/32`;
        routes.set(destination, { device, source: item.prefsrc ?? "", via: item.gateway ?? "" });
      }
    }
  }
  return { links, routes };
}

interface IpItem {
  readonly ifname?: string;
  readonly mtu?: number;
  readonly flags?: readonly string[];
  readonly addr_info?: readonly {
    readonly family: string;
    readonly local: string;
    readonly prefixlen: number;
  }[];
  readonly dst?: string;
  readonly dev?: string;
  readonly type?: string;
  readonly prefsrc?: string;
  readonly gateway?: string;
}

/** The commands that take the network from `seen` to `config`; routes over an interface that is missing wait for it. */
export function planIp(config: OverlayConfig, seen: SeenNetwork): IpChange {
  const links = linkLines(config, seen);
  const { added, deleted } = routeLines(config, seen);
  const changed: string[] = [];
  if (links.length > 0) changed.push(`links: ${links.length} settings`);
  if (added.length > 0) changed.push(`routes: ${added.length} set`);
  if (deleted.length > 0) changed.push(`routes: ${deleted.length} deleted`);
  const problems = seen.links.has(config.bridge)
    ? []
    : [`OVERLAY_BRIDGE_MISSING: the bridge ${config.bridge} does not exist`];
  return { lines: [...links, ...deleted, ...added], changed, problems };
}

/** The commands that remove what `planIp` made. */
export function planIpRemoval(seen: SeenNetwork, tunnels: readonly string[]): string[] {
  const present = tunnels.filter((tunnel) => seen.links.has(tunnel));
  return [
    ...[...seen.routes.keys()].map(deleteLine),
    ...present.map((tunnel) => `link delete dev ${tunnel}`),
  ];
}

function linkLines(config: OverlayConfig, seen: SeenNetwork): string[] {
  const lines: string[] = [];
  const { device } = config.tunnel;
  const tunnel = seen.links.get(device);
  const own = `${config.address}/32`;
  if (tunnel) {
    if (tunnel.mtu !== config.mtu) lines.push(`link set dev ${device} mtu ${config.mtu}`);
    // The tunnel carries no IPv6, so it needs no link-local address announcing itself.
    if (!tunnel.up) lines.push(`link set dev ${device} addrgenmode none`);
    for (const address of tunnel.addresses) {
      if (address !== own) lines.push(`address delete ${address} dev ${device}`);
    }
    if (!tunnel.addresses.includes(own)) lines.push(`address add ${own} dev ${device}`);
    if (!tunnel.up) lines.push(`link set dev ${device} up`);
  }
  const bridge = seen.links.get(config.bridge);
  if (bridge && bridge.mtu !== config.mtu) {
    lines.push(`link set dev ${config.bridge} mtu ${config.mtu}`);
  }
  if (bridge && !bridge.up) lines.push(`link set dev ${config.bridge} up`);
  return lines;
}

function routeLines(
  config: OverlayConfig,
  seen: SeenNetwork,
): { readonly added: string[]; readonly deleted: string[] } {
  // An address that changes takes the routes with it that have it as their source, so they are all set again.
  const tunnel = seen.links.get(config.tunnel.device);
  const fresh = tunnel !== undefined && !tunnel.addresses.includes(`${config.address}/32`);
  const wanted = new Set<string>();
  const added: string[] = [];
  for (const route of config.routes) {
    wanted.add(route.destination);
    if (route.device !== null && !seen.links.has(route.device)) continue;
    // Without the tunnel and before Docker nobody has the node address, and the kernel refuses it as a source.
    const source = tunnel === undefined ? "" : config.address;
    const found = seen.routes.get(route.destination);
    if (!fresh && found !== undefined && sameRoute(route, found, source)) continue;
    added.push(addLine(route, source));
  }
  const deleted = [...seen.routes.keys()].filter((each) => !wanted.has(each)).map(deleteLine);
  return { added, deleted };
}

function sameRoute(wanted: Route, found: SeenRoute, source: string): boolean {
  if (wanted.device === null) return found.device === null;
  const { device, via = "" } = wanted;
  return found.device === device && found.source === source && found.via === via;
}

function addLine(route: Route, source: string): string {
  if (route.device === null) {
    return `route replace unreachable ${route.destination} proto ${ROUTE_PROTOCOL}`;
  }
  const from = source === "" ? "" : ` src ${source}`;
  // On-link: the next hop's own route may be set after this one.
  const by = route.via === undefined ? "" : ` via ${route.via} onlink`;
  return `route replace ${route.destination}${by} dev ${route.device} proto ${ROUTE_PROTOCOL}${from}`;
}

function deleteLine(destination: string): string {
  const cidr = parseCidr(destination);
  return `route delete ${cidr ? formatCidr(cidr) : destination} proto ${ROUTE_PROTOCOL}`;
}
