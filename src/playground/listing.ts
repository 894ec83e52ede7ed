/** What `hansa playground list` shows: the hosts and what is wrong with the network between them. */
import { hostname } from "node:os";
import { type Impairments, NO_IMPAIRMENTS } from "./impairment.ts";
import { addressOf, checkName } from "./layout.ts";
import { initOf, readState } from "./state.ts";

export interface Listing {
  readonly name: string;
  /** The machine's own name. */
  readonly machine: string;
  readonly hosts: readonly {
    readonly host: number;
    readonly name: string;
    readonly state: "on" | "off";
    /** Pid 1 of the host as the machine sees it. */
    readonly pid: number | null;
    readonly addresses: readonly string[];
    /** Links that are cut. */
    readonly cut: readonly number[];
  }[];
  readonly impairments: Impairments;
}

/** The playground `name`; without hosts when none is up. */
export function listPlayground(name: string): Listing {
  checkName(name);
  const state = readState(name);
  const links = [...Array(state?.links ?? 0).keys()];
  const hosts = [...Array(state?.hosts ?? 0).keys()].map((index) => {
    const host = index + 1;
    const init = state && initOf(state, host);
    const isCut = (link: number): boolean =>
      state?.impairments.cuts.some((cut) => cut.host === host && cut.link === link) ?? false;
    return {
      host,
      name: `host${host}`,
      state: init ? ("on" as const) : ("off" as const),
      pid: init?.pid ?? null,
      addresses: links.map((link) => addressOf(host, link)),
      cut: links.filter(isCut),
    };
  });
  const impairments = state?.impairments ?? NO_IMPAIRMENTS;
  return { name, machine: hostname(), hosts, impairments };
}

/** The listing for people. Pure. */
export function tableOf({ name, hosts, impairments }: Omit<Listing, "machine">): string {
  if (hosts.length === 0) return `no playground ${name} is up\n`;
  const rows = [
    ["HOST", "STATE", "PID", "ADDRESSES"],
    ...hosts.map(({ name, state, pid, addresses, cut }) => {
      const shown = addresses.map((address, link) =>
        cut.includes(link) ? `${address} (cut)` : address,
      );
      return [name, state, pid === null ? "-" : `${pid}`, shown.join(", ")];
    }),
  ];
  const widths = [0, 1, 2].map((column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const { groups, oneways, blocks, delays } = impairments;
  if (groups.length > 0) lines.push(`split: ${groups.map((group) => group.join(",")).join(" | ")}`);
  for (const { from, to, only } of oneways) {
    const what = only ? ` on ${only.protocol} ${only.port}` : "";
    lines.push(`one way: host${from} is not heard by host${to}${what}`);
  }
  for (const { a, b, protocol, port } of blocks) {
    lines.push(`blocked: ${protocol} ${port} between host${a} and host${b}`);
  }
  for (const { a, b, ms, loss } of delays) {
    lines.push(`delayed: host${a} and host${b} by ${ms} ms each way, ${loss} % lost`);
  }
  return `${lines.join("\n")}\n`;
}
