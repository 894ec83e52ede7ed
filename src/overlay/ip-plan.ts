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

export interface SeenNetwork {
  readonly links: ReadonlyMap<string, SeenLink>;
  /** Our routes by destination. */
  readonly routes: ReadonlyMap<string, { readonly device: string | null; readonly source: string }>;
}

export interface IpChange {
  /** Commands without the leading `ip`; empty when nothing differs. */
  readonly lines: readonly string[];
  readonly changed: readonly string[];
  readonly problems: readonly string[];
}

/** What `ip -json -force -batch -` is asked; a missing interface is an empty answer. */
export function ipQuery(names: Pick<OverlayConfig, "bridge" | "tunnel">): string {
  return [
    `address show dev ${names.bridge}`,
    `address show dev ${names.tunnel}`,
    `route show table main proto ${ROUTE_PROTOCOL}`,
    "",
  ].join("\n");
}

/** The answer to `ipQuery`: one JSON array a line. */
export function parseIp(text: string): SeenNetwork {
  const links = new Map<string, SeenLink>();
  const routes = new Map<string, { device: string | null; source: string }>();
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
        routes.set(destination, { device, source: item.prefsrc ?? "" });
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
    : [`the bridge ${config.bridge} does not exist; Docker makes it with the network hansa`];
  return { lines: [...links, ...deleted, ...added], changed, problems };
}

/** The commands that remove what `planIp` made. */
export function planIpRemoval(seen: SeenNetwork, tunnel: string): string[] {
  const lines = [...seen.routes.keys()].map(deleteLine);
  if (seen.links.has(tunnel)) lines.push(`link delete dev ${tunnel}`);
  return lines;
}

function linkLines(config: OverlayConfig, seen: SeenNetwork): string[] {
  const lines: string[] = [];
  const tunnel = seen.links.get(config.tunnel);
  const own = `${config.address}/32`;
  if (tunnel) {
    if (tunnel.mtu !== config.mtu) lines.push(`link set dev ${config.tunnel} mtu ${config.mtu}`);
    // The tunnel carries no IPv6, so it needs no link-local address announcing itself.
    if (!tunnel.up) lines.push(`link set dev ${config.tunnel} addrgenmode none`);
    for (const address of tunnel.addresses) {
      if (address !== own) lines.push(`address delete ${address} dev ${config.tunnel}`);
    }
    if (!tunnel.addresses.includes(own)) lines.push(`address add ${own} dev ${config.tunnel}`);
    if (!tunnel.up) lines.push(`link set dev ${config.tunnel} up`);
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
  const tunnel = seen.links.get(config.tunnel);
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

function sameRoute(
  wanted: Route,
  found: { readonly device: string | null; readonly source: string },
  source: string,
): boolean {
  if (wanted.device === null) return found.device === null;
  return found.device === wanted.device && found.source === source;
}

function addLine(route: Route, source: string): string {
  if (route.device === null) {
    return `route replace unreachable ${route.destination} proto ${ROUTE_PROTOCOL}`;
  }
  const from = source === "" ? "" : ` src ${source}`;
  return `route replace ${route.destination} dev ${route.device} proto ${ROUTE_PROTOCOL}${from}`;
}

function deleteLine(destination: string): string {
  const cidr = parseCidr(destination);
  return `route delete ${cidr ? formatCidr(cidr) : destination} proto ${ROUTE_PROTOCOL}`;
}
