/**
 * Which processes a node consists of, and how each is started. Pure.
 *
 * The order is that of starting: what dockerd waits for comes first. Each may die alone; whoever keeps them (systemd or
 * our supervisor) restarts each alone.
 */
/** The device of the tunnel between hosts. */
export const TUNNEL_DEVICE = "hansa-wg";
/** The bridge of Docker's network hansa. */
export const BRIDGE_DEVICE = "hansa0";

export interface ProcessSpec {
  /** Names its pid file, log and unit. */
  readonly name: string;
  /** The program and its arguments; the program as an absolute path. Never a secret. */
  readonly argv: readonly string[];
  /** Added to the small environment that all get. */
  readonly env: Readonly<Record<string, string>>;
}

export interface ProcessListOptions {
  /** The words before a role: the executable, or node and main.ts. */
  readonly program: readonly string[];
  /**
   * "none" in a cluster without encryption; "role" for `hansa tunnel`, which finds out itself what the kernel has; or the path of
   * wireguard-go, started directly: the role would become that program anyway, 60 ms of a processor later.
   */
  readonly tunnel: "none" | "role" | { readonly wireguardGo: string };
  /** The store's process, on nodes that have it. */
  readonly store?: ProcessSpec | undefined;
}

/**
 * Small and steady roles get a small young generation and one V8 worker thread: no less memory at their start (measured: 16 MB
 * of anonymous memory either way for a bare Node), but it does not grow with hours of small requests, and there are 3 threads fewer.
 */
export const SMALL_ROLE: Readonly<Record<string, string>> = {
  NODE_OPTIONS: "--max-semi-space-size=2 --v8-pool-size=1",
};

/** The processes of a node, the supervisor not counted. */
export function processList(options: ProcessListOptions): ProcessSpec[] {
  const role = (name: string, env: Readonly<Record<string, string>> = {}): ProcessSpec => ({
    name,
    argv: [...options.program, name],
    env,
  });
  const tunnel = tunnelSpecs(options.tunnel, role("tunnel"));
  const store = options.store === undefined ? [] : [options.store];
  return [role("ipam-plugin", SMALL_ROLE), ...tunnel, ...store, role("daemon")];
}

function tunnelSpecs(tunnel: ProcessListOptions["tunnel"], role: ProcessSpec): ProcessSpec[] {
  if (tunnel === "none") return [];
  if (tunnel === "role") return [role];
  const argv = [tunnel.wireguardGo, "-f", TUNNEL_DEVICE];
  return [{ name: role.name, argv, env: { LOG_LEVEL: "error" } }];
}

/** What starts a node for members of the group; no part of a node. */
export function starterSpec(program: readonly string[]): ProcessSpec {
  return { name: "starter", argv: [...program, "starter"], env: SMALL_ROLE };
}

/** The supervisor itself, started the same way. */
export function supervisorSpec(program: readonly string[]): ProcessSpec {
  return { name: "supervise", argv: [...program, "supervise"], env: SMALL_ROLE };
}
