/** What this machine must have before a playground can be made: checked at once, before anything is changed. */
import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { HansaError } from "../errors.ts";

const TOOLS = [
  "ip",
  "nft",
  "nsenter",
  "unshare",
  "setpriv",
  "mount",
  "sysctl",
  "tini",
  "dockerd",
  "docker",
  "socat",
  "tar",
];

/** Throws ROOT_REQUIRED or TOOL_MISSING (naming all that are missing). */
export function checkRequirements(): void {
  checkRoot();
  const path = (process.env["PATH"] ?? "").split(":");
  const folders = new Set([...path, "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]);
  const missing = TOOLS.filter((tool) => ![...folders].some((folder) => isProgram(folder, tool)));
  if (!existsSync("/bin/busybox")) missing.push("busybox");
  if (!existsSync("/dev/net/tun")) missing.push("/dev/net/tun");
  if (missing.length === 0) return;
  throw new HansaError("TOOL_MISSING", `the playground needs ${missing.join(", ")}`, {
    hint: "install what is missing with: sh scripts/setup-host.sh",
  });
}

/** Throws ROOT_REQUIRED unless this process is root. */
export function checkRoot(): void {
  if (process.getuid?.() !== 0) {
    throw new HansaError("ROOT_REQUIRED", "hansa playground makes network namespaces and mounts");
  }
}

function isProgram(folder: string, tool: string): boolean {
  try {
    accessSync(join(folder, tool), constants.X_OK);
    return folder !== "";
  } catch {
    // Any reason means the same here: it cannot be run from this folder.
    return false;
  }
}
