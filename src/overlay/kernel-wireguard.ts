/**
 * The kernel's WireGuard by `wg`: `show dump` to read, `syncconf` to change.
 *
 * `wg` opens its input by name, and a name for the socket that Node gives a child as standard input cannot be opened. So the
 * keys go by a file of mode 0600 in a directory in memory, gone when `wg` ends; never by argv.
 */
import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HansaError } from "../errors.ts";
import type { Command } from "../host/command.ts";
import { ensureDir } from "../host/files.ts";
import type { WireguardDevice } from "./wireguard-device.ts";
import type { DeviceChange, DevicePeer, DeviceState } from "./wireguard-plan.ts";

export class KernelWireguard implements WireguardDevice {
  readonly backend = "kernel";
  readonly #name: string;
  readonly #command: Command;
  readonly #runDirectory: string;

  constructor(name: string, command: Command, runDirectory: string) {
    this.#name = name;
    this.#command = command;
    this.#runDirectory = runDirectory;
  }

  async read(): Promise<DeviceState | undefined> {
    const result = await this.#command.run(["wg", "show", this.#name, "dump"]);
    return result.status === 0 ? parseDump(result.stdout) : undefined;
  }

  async apply(change: DeviceChange): Promise<void> {
    await ensureDir(this.#runDirectory, 0o700);
    const file = join(this.#runDirectory, `wg-${randomUUID().slice(0, 8)}.conf`);
    try {
      await writeFile(file, formatSyncConfig(change), { mode: 0o600, flag: "wx" });
      const result = await this.#command.run(["wg", "syncconf", this.#name, file]);
      if (result.status !== 0) {
        const words = result.stderr.trim().split("\n").at(-1) ?? "";
        throw new HansaError("OVERLAY_REFUSED", `wg refused the tunnel's configuration: ${words}`);
      }
    } finally {
      await rm(file, { force: true });
    }
  }
}

/** The whole configuration for `wg syncconf`, which removes peers not named and leaves endpoints not named. */
export function formatSyncConfig(change: DeviceChange): string {
  const lines = [
    "[Interface]",
    `PrivateKey = ${change.privateKey}`,
    `ListenPort = ${change.listenPort}`,
  ];
  for (const peer of change.peers) {
    lines.push(
      "[Peer]",
      `PublicKey = ${peer.publicKey}`,
      `PresharedKey = ${peer.presharedKey}`,
      `AllowedIPs = ${peer.allowedIps.join(", ")}`,
      `PersistentKeepalive = ${peer.keepaliveSeconds}`,
      ...(peer.endpoint === undefined ? [] : [`Endpoint = ${peer.endpoint}`]),
    );
  }
  return `${lines.join("\n")}\n`;
}

/** The state that `wg show NAME dump` prints: a line of the interface, then one a peer, columns split by tabs. */
export function parseDump(text: string): DeviceState {
  const [first = "", ...rest] = text.split("\n");
  const [privateKey = "", , port = "0"] = first.split("\t");
  const peers = new Map<string, DevicePeer>();
  for (const line of rest) {
    const [key, psk, endpoint, ips, handshake, rx, tx, keepalive] = line.split("\t");
    if (key === undefined || keepalive === undefined) continue;
    const handshakeSeconds = Number(handshake);
    peers.set(key, {
      presharedKey: none(psk),
      endpoint: none(endpoint) || null,
      allowedIps: none(ips).split(",").filter(Boolean),
      keepaliveSeconds: Number(keepalive) || 0,
      handshakeAt: handshakeSeconds > 0 ? handshakeSeconds * 1000 : undefined,
      rxBytes: Number(rx) || 0,
      txBytes: Number(tx) || 0,
    });
  }
  return { privateKey: none(privateKey), listenPort: Number(port) || 0, peers };
}

function none(text: string | undefined): string {
  return text === undefined || text === "(none)" ? "" : text;
}
