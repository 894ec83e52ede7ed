/**
 * The WireGuard device of a real host, made by the process `hansa tunnel`: waited for, and told only what differs.
 *
 * Nothing is remembered that the device can tell, but which endpoints we sent: it shows where a peer roamed, not where we said.
 */
import { mkdirSync, watch } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { HansaError } from "../errors.ts";
import type { Clock } from "../host/clock.ts";
import type { Command } from "../host/command.ts";
import type { OverlayObservation } from "./overlay.ts";
import {
  type OverlaySecrets,
  TUNNEL_DEVICES,
  type WireguardTunnel as WireguardConfig,
} from "./overlay-config.ts";
import { findDevice, UAPI_DIRECTORY, type WireguardDevice } from "./wireguard-device.ts";
import { type DeviceState, planDevice } from "./wireguard-plan.ts";

export interface WireguardTunnelOptions {
  readonly command: Command;
  readonly clock: Clock;
  /** In memory, private: holds keys for the time of one call of `wg`. Default /run/hansa/wireguard. */
  readonly runDirectory?: string;
  /** How long `find` waits for the device to appear; default 5000. */
  readonly tunnelDeadlineMs?: number;
}

export interface FoundTunnel {
  readonly device: WireguardDevice;
  readonly state: DeviceState;
}

const POLL_MS = 25;
const DEVICE = TUNNEL_DEVICES.wireguard;

export class WireguardTunnel {
  readonly #options: WireguardTunnelOptions;
  #sent: ReadonlyMap<string, string> = new Map();

  constructor(options: WireguardTunnelOptions) {
    this.#options = options;
  }

  /** The device, waited for; undefined when it does not appear in time. */
  async find(): Promise<FoundTunnel | undefined> {
    const { clock, tunnelDeadlineMs = 5000 } = this.#options;
    const end = clock.monotonicMs() + tunnelDeadlineMs;
    for (;;) {
      const found = await this.#look();
      if (found || clock.monotonicMs() >= end) return found;
      await delay(POLL_MS);
    }
  }

  /** Makes the device what `config` says; true when it was not. */
  async set(
    { device, state }: FoundTunnel,
    config: WireguardConfig,
    secrets: OverlaySecrets,
  ): Promise<boolean> {
    const now = this.#options.clock.wallMs();
    const change = planDevice(config, secrets, state, this.#sent, now);
    if (change) await device.apply(change);
    const sent = config.peers.flatMap(({ publicKey, endpoint }) =>
      endpoint === null ? [] : [[publicKey, endpoint] as const],
    );
    this.#sent = new Map(sent);
    return change !== undefined;
  }

  async observe(): Promise<OverlayObservation> {
    const found = await this.#look();
    if (found === undefined) throw tunnelMissing();
    const now = this.#options.clock.wallMs();
    const peers = [...found.state.peers].map(([publicKey, peer]) => ({
      publicKey,
      endpoint: peer.endpoint,
      handshakeAgeMs:
        peer.handshakeAt === undefined ? undefined : Math.max(0, now - peer.handshakeAt),
      rxBytes: peer.rxBytes,
      txBytes: peer.txBytes,
    }));
    return { backend: found.device.backend, peers };
  }

  /** Calls `onChange` when wireguard-go came back. */
  watch(onChange: () => void): () => void {
    mkdirSync(UAPI_DIRECTORY, { recursive: true, mode: 0o700 });
    const watcher = watch(UAPI_DIRECTORY, { persistent: false }, (_event, file) => {
      if (file === null || file === `${DEVICE}.sock`) onChange();
    });
    // The directory itself went away; the caller's own rhythm of `set` remains.
    watcher.on("error", () => watcher.close());
    return () => watcher.close();
  }

  forgetSent(): void {
    this.#sent = new Map();
  }

  async #look(): Promise<FoundTunnel | undefined> {
    const { command, runDirectory = "/run/hansa/wireguard" } = this.#options;
    const device = findDevice(DEVICE, { command, runDirectory });
    const state = await device?.read();
    return device && state ? { device, state } : undefined;
  }
}

export function tunnelMissing(): HansaError {
  return new HansaError(
    "OVERLAY_TUNNEL_MISSING",
    `the tunnel ${DEVICE} does not exist: hansa tunnel is not running, or has just ended`,
  );
}
