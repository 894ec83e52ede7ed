/**
 * The foreground process `hansa tunnel`, kept alive by systemd or our supervisor, apart from the daemon so that traffic outlives it.
 *
 * With WireGuard in the kernel it makes the interface and becomes `sleep infinity`, which costs a megabyte instead of a whole runtime
 * (the interface stays when that ends). Without, it becomes `wireguard-go -f`, and the interface lives as long as it does.
 * Either way one process a host with one meaning: while it runs, there is a tunnel.
 */
import { spawn } from "node:child_process";
import { accessSync, constants, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { HansaError } from "../errors.ts";
import { systemCommand } from "../host/command.ts";
import { interfaceExists, UAPI_DIRECTORY } from "./wireguard-device.ts";

/**
 * Never returns: this process becomes another program, or ends with that program's status.
 *
 * Throws TOOL_MISSING when the kernel has no WireGuard and wireguard-go is not installed, and OVERLAY_REFUSED when the host has
 * neither that nor /dev/net/tun.
 */
export async function runTunnel(tunnel: string): Promise<never> {
  if (await makeKernelInterface(tunnel)) return become(programPath("sleep"), ["infinity"]);
  const wireguardGo = programPath("wireguard-go");
  try {
    accessSync("/dev/net/tun", constants.R_OK | constants.W_OK);
  } catch (cause) {
    const text = "the host has neither WireGuard in its kernel nor /dev/net/tun for wireguard-go";
    throw new HansaError("OVERLAY_REFUSED", text, { hint: "load the kernel module tun", cause });
  }
  mkdirSync(UAPI_DIRECTORY, { recursive: true, mode: 0o700 });
  return become(wireguardGo, ["-f", tunnel]);
}

/** True when the kernel's interface exists now; false when the kernel has no WireGuard. */
async function makeKernelInterface(tunnel: string): Promise<boolean> {
  const made = await systemCommand.run(["ip", "link", "add", "dev", tunnel, "type", "wireguard"]);
  if (made.status === 0) return true;
  if (!interfaceExists(tunnel)) return false;
  // One of an earlier run, or the tun device of a wireguard-go that has not ended yet.
  const shown = await systemCommand.run(["ip", "-details", "link", "show", "dev", tunnel]);
  return /^\s+wireguard\b/m.test(shown.stdout);
}

function programPath(name: string): string {
  const folders = [
    ...(process.env["PATH"] ?? "").split(delimiter),
    "/usr/bin",
    "/usr/sbin",
    "/bin",
  ];
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      if (folder === "") continue;
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder; the next may have it, and none is the error below.
    }
  }
  throw new HansaError("TOOL_MISSING", `the program ${name} is not installed`, {
    hint: `install it with: apt-get install ${name} (on Debian 12 from backports: the release's own is slow)`,
  });
}

/** Replaces this process, which keeps its id; where Node cannot do that, runs the program as a child and ends with it. */
async function become(path: string, args: readonly string[]): Promise<never> {
  // The second keeps wireguard-go from advising, on every start, to use the kernel's WireGuard instead.
  const environment: Record<string, string> = { LOG_LEVEL: "error", WG_PROCESS_FOREGROUND: "1" };
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined) environment[name] = value;
  }
  if (typeof process.execve === "function") {
    process.execve(path, [path, ...args], environment);
  }
  const child = spawn(path, args, { stdio: "inherit", env: environment });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => child.kill(signal));
  }
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.on("error", reject);
  child.on("exit", (code) => resolve(code ?? 1));
  process.exit(await promise);
}
