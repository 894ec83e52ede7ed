/** Which Debian packages a node needs and this host lacks, and installing them. */
import { HansaError } from "../errors.ts";
import type { Command } from "../host/command.ts";
import { findTool, neededTools, packageOf } from "../processes/host-tools.ts";
import { wireguardGoScript } from "./wireguard-go-script.ts";

const APT_MS = 600_000;

/** The packages of the programs that are missing, each once. Only file look-ups. */
export function missingPackages(folders: readonly string[], kernelHasWireguard: boolean): string[] {
  const programs = ["dockerd", "etcd", ...neededTools("wireguard", kernelHasWireguard)];
  const missing = programs.filter((name) => findTool(name, folders) === undefined);
  return [...new Set(missing.map(packageOf))];
}

/**
 * Installs them by apt-get, without asking; wireguard-go from the backports where the release's own is slow. Debian's own etcd service, which its package
 * starts and which would take the store's port, is masked before. Throws PACKAGES_MISSING with the last words of apt-get, and SYSTEMD_FAILED.
 */
export async function installPackages(
  packages: readonly string[],
  command: Command,
  hasSystemd: boolean,
): Promise<void> {
  if (hasSystemd && packages.includes("etcd-server")) await maskEtcd(command);
  const env = { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
  const plain = packages.filter((name) => name !== "wireguard-go");
  if (plain.length > 0) {
    const words = ["-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"];
    const install = ["apt-get", "install", ...words, ...plain];
    const options = { timeoutMs: APT_MS, env };
    const first = await command.run(install, options);
    if (first.status !== 0) {
      // Lists may be missing or old, as in a fresh image.
      await must(command, ["apt-get", "update", "-qq"], plain, env);
      await must(command, install, plain, env);
    }
  }
  if (plain.length === packages.length) return;
  await must(command, ["sh", "-s"], ["wireguard-go"], env, wireguardGoScript());
}

async function maskEtcd(command: Command): Promise<void> {
  const { status, stderr } = await command.run(["systemctl", "mask", "etcd.service"]);
  if (status === 0) return;
  throw new HansaError("SYSTEMD_FAILED", `etcd.service cannot be masked: ${stderr.slice(0, 300)}`);
}

async function must(
  command: Command,
  argv: readonly string[],
  packages: readonly string[],
  env: Readonly<Record<string, string>>,
  stdin?: string,
): Promise<void> {
  const options = { timeoutMs: APT_MS, env, ...(stdin === undefined ? {} : { stdin }) };
  const { status, stderr } = await command.run(argv, options);
  if (status === 0) return;
  const said = stderr.trim().split("\n").at(-1) ?? "";
  const text = `${packages.join(", ")} could not be installed: ${said.slice(0, 300)}`;
  throw new HansaError("PACKAGES_MISSING", text, {
    hint: `see what apt-get install ${packages.join(" ")} says`,
  });
}
