/**
 * The overlay on a real host: `ip`, `nft`, `iptables` and WireGuard, each asked once a `set` and told only what differs.
 *
 * Invariants: one `set`, `cleanUp` or wait for the tunnel runs at a time; the firewall stands before the first route; nothing is
 * remembered that the host can tell, but which endpoints we sent (the host shows where a peer roamed, not where we said).
 */
import { mkdirSync, watch } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { HansaError } from "../errors.ts";
import type { Clock } from "../host/clock.ts";
import type { Command } from "../host/command.ts";
import { HostFirewall, need } from "./host-firewall.ts";
import { setSysctls } from "./host-sysctls.ts";
import { ipQuery, parseIp, planIp, planIpRemoval, type SeenNetwork } from "./ip-plan.ts";
import type { Overlay, OverlayObservation, OverlayReport } from "./overlay.ts";
import type { OverlayConfig, OverlaySecrets } from "./overlay-config.ts";
import { findDevice, UAPI_DIRECTORY, type WireguardDevice } from "./wireguard-device.ts";
import { type DeviceState, planDevice } from "./wireguard-plan.ts";

export interface LinuxOverlayOptions {
  readonly command: Command;
  readonly clock: Clock;
  readonly bridge: string;
  readonly tunnel: string;
  /** In memory, private: holds keys for the time of one call of `wg`. Default /run/hansa/wireguard. */
  readonly runDirectory?: string;
  /** How long `set` waits for the tunnel to appear; default 5000. */
  readonly tunnelDeadlineMs?: number;
}

const POLL_MS = 25;

export class LinuxOverlay implements Overlay {
  readonly #options: LinuxOverlayOptions;
  readonly #firewall: HostFirewall;
  #sent: ReadonlyMap<string, string> = new Map();
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: LinuxOverlayOptions) {
    this.#options = options;
    this.#firewall = new HostFirewall(options.command);
  }

  set(config: OverlayConfig, secrets: OverlaySecrets): Promise<OverlayReport> {
    return this.#serially(() => this.#set(config, secrets));
  }

  cleanUp(): Promise<void> {
    return this.#serially(() => this.#cleanUp());
  }

  async observe(): Promise<OverlayObservation> {
    const found = await this.#findTunnel();
    if (found === undefined) throw this.#missing();
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

  watch(onChange: () => void): () => void {
    mkdirSync(UAPI_DIRECTORY, { recursive: true, mode: 0o700 });
    const watcher = watch(UAPI_DIRECTORY, { persistent: false }, (_event, file) => {
      if (file === null || file === `${this.#options.tunnel}.sock`) onChange();
    });
    // The directory itself went away; the caller's own rhythm of `set` remains.
    watcher.on("error", () => watcher.close());
    return () => watcher.close();
  }

  #serially<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#last.then(run, run);
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #set(config: OverlayConfig, secrets: OverlaySecrets): Promise<OverlayReport> {
    const changed: string[] = [];
    const problems: string[] = [];
    const [tunnel, firewall, dockerUser] = await Promise.all([
      this.#awaitTunnel(),
      this.#firewall.setTable(config.firewall),
      this.#setDockerUser(config),
    ]);
    if (firewall) changed.push("firewall table");
    if (dockerUser === "changed") changed.push("rules in DOCKER-USER");
    if (dockerUser === "no-chain") {
      problems.push("Docker's chain DOCKER-USER does not exist; is Docker running?");
    }
    if (tunnel && (await this.#setTunnel(config, secrets, tunnel))) changed.push("tunnel");
    const ip = planIp(config, await this.#seeNetwork());
    changed.push(...ip.changed);
    problems.push(...ip.problems);
    await this.#batch(ip.lines);
    const sysctls = await setSysctls(config.sysctls);
    changed.push(...sysctls.changed);
    problems.push(...sysctls.problems);
    if (tunnel === undefined) throw this.#missing();
    return { changed, problems };
  }

  async #setDockerUser(config: OverlayConfig): Promise<"same" | "changed" | "no-chain"> {
    // A Docker that uses nftables has no such chain, and its host perhaps no iptables.
    if (config.dockerUser.length === 0) return "same";
    return this.#firewall.setDockerUser(config.dockerUser);
  }

  async #setTunnel(
    config: OverlayConfig,
    secrets: OverlaySecrets,
    { device, state }: FoundTunnel,
  ): Promise<boolean> {
    const now = this.#options.clock.wallMs();
    const change = planDevice(config.wireguard, secrets, state, this.#sent, now);
    if (change) await device.apply(change);
    const sent = config.wireguard.peers.flatMap(({ publicKey, endpoint }) =>
      endpoint === null ? [] : [[publicKey, endpoint] as const],
    );
    this.#sent = new Map(sent);
    return change !== undefined;
  }

  async #cleanUp(): Promise<void> {
    const seen = await this.#seeNetwork();
    await this.#batch(planIpRemoval(seen, this.#options.tunnel));
    await this.#firewall.remove();
    this.#sent = new Map();
  }

  async #seeNetwork(): Promise<SeenNetwork> {
    const argv = ["ip", "-json", "-force", "-batch", "-"];
    // Its status tells of missing interfaces, which the answer shows as well.
    const result = await this.#options.command.run(argv, { stdin: ipQuery(this.#options) });
    return parseIp(result.stdout);
  }

  async #batch(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const stdin = `${lines.join("\n")}\n`;
    need("ip", await this.#options.command.run(["ip", "-force", "-batch", "-"], { stdin }));
  }

  async #awaitTunnel(): Promise<FoundTunnel | undefined> {
    const { clock, tunnelDeadlineMs = 5000 } = this.#options;
    const end = clock.monotonicMs() + tunnelDeadlineMs;
    for (;;) {
      const found = await this.#findTunnel();
      if (found || clock.monotonicMs() >= end) return found;
      await delay(POLL_MS);
    }
  }

  async #findTunnel(): Promise<FoundTunnel | undefined> {
    const { command, tunnel, runDirectory = "/run/hansa/wireguard" } = this.#options;
    const device = findDevice(tunnel, { command, runDirectory });
    const state = await device?.read();
    return device && state ? { device, state } : undefined;
  }

  #missing(): HansaError {
    const { tunnel } = this.#options;
    return new HansaError(
      "OVERLAY_TUNNEL_MISSING",
      `the tunnel ${tunnel} does not exist: hansa tunnel is not running, or has just ended`,
    );
  }
}

interface FoundTunnel {
  readonly device: WireguardDevice;
  readonly state: DeviceState;
}
