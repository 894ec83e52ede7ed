/**
 * The port to one WireGuard device: its whole state out, a change in.
 *
 * Two adapters: the socket of wireguard-go, spoken to directly (no process a poll), and the kernel's device by `wg`.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "../host/command.ts";
import { KernelWireguard } from "./kernel-wireguard.ts";
import { UapiWireguard } from "./uapi-wireguard.ts";
import type { DeviceChange, DeviceState } from "./wireguard-plan.ts";

/** Where wireguard-go puts its sockets; private to each host. */
export const UAPI_DIRECTORY = "/var/run/wireguard";

export interface WireguardDevice {
  readonly backend: "kernel" | "userspace";
  /** undefined when there is no such device, or the process behind it is gone. */
  read(): Promise<DeviceState | undefined>;
  /** Carries `change` out as a whole. Throws OVERLAY_REFUSED. */
  apply(change: DeviceChange): Promise<void>;
}

export interface DeviceOptions {
  readonly command: Command;
  /** For `wg`'s input, which holds keys: a directory in memory, mode 0700, made when it is needed. */
  readonly runDirectory: string;
  readonly uapiDirectory?: string;
}

/**
 * The device `name` as it is now, or undefined while there is none.
 *
 * A socket means wireguard-go; an interface without one is the kernel's. Looks under /proc, which shows the caller's own network
 * namespace, while /sys shows the one it was mounted in.
 */
export function findDevice(name: string, options: DeviceOptions): WireguardDevice | undefined {
  if (!interfaceExists(name)) return undefined;
  const socket = join(options.uapiDirectory ?? UAPI_DIRECTORY, `${name}.sock`);
  if (existsSync(socket)) return new UapiWireguard(socket);
  return new KernelWireguard(name, options.command, options.runDirectory);
}

/** True when this network namespace has the interface. */
export function interfaceExists(name: string): boolean {
  return existsSync(`/proc/sys/net/ipv4/conf/${name}`);
}
