/**
 * Which programs a node needs and which of them the host lacks; whether its kernel has WireGuard. Only file look-ups, nothing is run.
 */
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { HansaError } from "../errors.ts";
import type { Encryption } from "./node-file.ts";

/** Program → Debian package. */
const PACKAGES: Readonly<Record<string, string>> = {
  dockerd: "docker.io",
  etcd: "etcd-server",
  ip: "iproute2",
  nft: "nftables",
  iptables: "iptables",
  wg: "wireguard-tools",
  "wireguard-go": "wireguard-go",
};

/** The programs of a node. Pure. */
export function neededTools(encryption: Encryption, kernelHasWireguard: boolean): string[] {
  const always = ["ip", "nft", "iptables"];
  if (encryption === "none") return always;
  return kernelHasWireguard ? [...always, "wg"] : [...always, "wg", "wireguard-go"];
}

/** The Debian package that brings the program. Pure. */
export function packageOf(program: string): string {
  return PACKAGES[program] ?? program;
}

/** The absolute path of the program in `folders`, or undefined. */
export function findTool(name: string, folders: readonly string[]): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/** Throws TOOL_MISSING naming every missing program and the packages to install. */
export function requireTools(names: readonly string[], folders: readonly string[]): void {
  const error = missingTools(names, folders);
  if (error !== undefined) throw error;
}

/** The same as a value: TOOL_MISSING, or undefined when all are there. */
export function missingTools(
  names: readonly string[],
  folders: readonly string[],
): HansaError | undefined {
  const missing = names.filter((name) => findTool(name, folders) === undefined);
  if (missing.length === 0) return undefined;
  const packages = [...new Set(missing.map(packageOf))];
  const what = missing.length === 1 ? "the program" : "the programs";
  return new HansaError("TOOL_MISSING", `${what} ${missing.join(", ")} must be installed`, {
    hint: `apt-get install ${packages.join(" ")}`,
  });
}

/** True when the running kernel has WireGuard built in, loaded, or as a module that it can load. */
export function kernelHasWireguard(root = "/"): boolean {
  if (existsSync(join(root, "sys/module/wireguard"))) return true;
  const folder = join(root, "lib/modules", release());
  return ["modules.dep", "modules.builtin"].some((name) => {
    const path = join(folder, name);
    return existsSync(path) && readFileSync(path, "latin1").includes("/net/wireguard/");
  });
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // Absent or not executable: the same to us.
  }
}
