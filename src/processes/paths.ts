/**
 * Where everything of ours lies on a host. The only place in which these paths are spelled.
 *
 * HANSA_ROOT, for tests, is put before each of them.
 */
import { join } from "node:path";

export interface Paths {
  /** HANSA_ROOT, or "" on a real host. */
  readonly prefix: string;
  /** What must survive a reboot; 0700. */
  readonly stateDir: string;
  /** Sockets and pid files, gone after a reboot; 0755. */
  readonly runDir: string;
  readonly logDir: string;
  readonly nodeFile: string;
  /** Docker's IPAM socket. */
  readonly ipamSocket: string;
  /** Between daemon and plugin; 0600. */
  readonly controlSocket: string;
  /** The API for the command line. */
  readonly apiSocket: string;
  /** Tells Docker where the plugin's socket is, also before /run has anything in it. */
  readonly pluginSpec: string;
  /** systemd units that we install. */
  readonly unitDir: string;
  /** Exists exactly where systemd is the init system. */
  readonly systemdMark: string;
  /** Exists while the node was stopped on purpose: nothing is started again. */
  readonly stoppedMark: string;
  /** The starter's socket and pid file: apart from the node's, which a reset takes away; 0755. */
  readonly starterDir: string;
  /** Members of the group ask for a start here; 0660. */
  readonly starterSocket: string;
  /** What was asked of the starter; 0750. */
  readonly starterLogDir: string;
}

/** The paths under `env.HANSA_ROOT`, which defaults to the real root. */
export function hansaPaths(env: Readonly<NodeJS.ProcessEnv> = process.env): Paths {
  const prefix = env["HANSA_ROOT"] ?? "";
  const at = (path: string): string => (prefix === "" ? path : join(prefix, path));
  const stateDir = at("/var/lib/hansa");
  const runDir = at("/run/hansa");
  return {
    prefix,
    stateDir,
    runDir,
    logDir: join(stateDir, "log"),
    nodeFile: join(stateDir, "node.json"),
    ipamSocket: join(runDir, "ipam.sock"),
    controlSocket: join(runDir, "control.sock"),
    apiSocket: join(runDir, "hansa.sock"),
    pluginSpec: at("/etc/docker/plugins/hansa.spec"),
    unitDir: at("/etc/systemd/system"),
    systemdMark: at("/run/systemd/system"),
    stoppedMark: join(runDir, "stopped"),
    starterDir: at("/run/hansa-starter"),
    starterSocket: at("/run/hansa-starter/start.sock"),
    starterLogDir: at("/var/log/hansa"),
  };
}

/** The pid file of the process `name`. */
export function pidFile(paths: Paths, name: string): string {
  return join(paths.runDir, `${name}.pid`);
}

/** The log of the process `name`. */
export function logFile(paths: Paths, name: string): string {
  return join(paths.logDir, `${name}.log`);
}
