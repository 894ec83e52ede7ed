/**
 * Which processes a node consists of, and how each is started. Pure.
 *
 * The order is that of starting: what dockerd waits for comes first. Each may die alone; whoever keeps them (systemd or
 * our supervisor) restarts each alone.
 */
import { HansaError } from "../errors.ts";

/** The device of the tunnel between hosts. */
export const TUNNEL_DEVICE = "hansa-wg";

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
  /** The path of wireguard-go where the kernel has no WireGuard and the cluster is encrypted. */
  readonly wireguardGo?: string | undefined;
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
  const tunnel: ProcessSpec[] =
    options.wireguardGo === undefined
      ? []
      : [
          {
            name: "tunnel",
            // Directly, without a Node process around it; the daemon configures the device whenever it appears.
            argv: [options.wireguardGo, "-f", TUNNEL_DEVICE],
            env: { LOG_LEVEL: "error", WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD: "1" },
          },
        ];
  return [role("ipam-plugin", SMALL_ROLE), ...tunnel, role("daemon")];
}

/** The supervisor itself, started the same way. */
export function supervisorSpec(program: readonly string[]): ProcessSpec {
  return { name: "supervise", argv: [...program, "supervise"], env: SMALL_ROLE };
}

/** The process `name` of the list. Throws INTERNAL when it has none. */
export function processNamed(list: readonly ProcessSpec[], name: string): ProcessSpec {
  const found = list.find((spec) => spec.name === name);
  if (found === undefined) throw new HansaError("INTERNAL", `no process is named ${name}`);
  return found;
}
