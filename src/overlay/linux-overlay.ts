/**
 * The overlay on a real host: `ip`, `nft`, `iptables` and the cluster's tunnel, each asked once a `set` and told only what differs.
 *
 * Invariants: one `set`, `cleanUp` or wait for the tunnel runs at a time; the firewall stands before the tunnel's peers and the first route;
 * wherever a `set` fails, the fast path that stands is the firewall's, or none.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../host/clock.ts";
import type { Command } from "../host/command.ts";
import { FormerSysctls } from "./former-sysctls.ts";
import { HostFirewall, need } from "./host-firewall.ts";
import { setSysctls } from "./host-sysctls.ts";
import { ipQuery, parseIp, planIp, planIpRemoval, type SeenNetwork } from "./ip-plan.ts";
import type { Overlay, OverlayObservation, OverlayReport } from "./overlay.ts";
import { type OverlayConfig, type OverlaySecrets, TUNNEL_DEVICES } from "./overlay-config.ts";
import { VxlanTunnel } from "./vxlan-tunnel.ts";
import { UAPI_DIRECTORY } from "./wireguard-device.ts";
import { tunnelMissing, WireguardTunnel } from "./wireguard-tunnel.ts";

export interface LinuxOverlayOptions {
  readonly command: Command;
  readonly clock: Clock;
  readonly bridge: string;
  /** In memory, private: holds keys for the time of one call of `wg`. Default /run/hansa/wireguard. */
  readonly runDirectory?: string;
  /** Keeps what host-wide kernel settings were before. Default /var/lib/hansa/sysctls.json. */
  readonly formerSysctls?: string;
  /** How long `set` waits for WireGuard's tunnel to appear; default 5000. */
  readonly tunnelDeadlineMs?: number;
}

/** Sets the tunnel once the firewall stands; "missing" when there is none to set. */
type SetTunnel = () => Promise<"same" | "changed" | "missing">;

export class LinuxOverlay implements Overlay {
  readonly #options: LinuxOverlayOptions;
  readonly #firewall: HostFirewall;
  readonly #wireguard: WireguardTunnel;
  readonly #vxlan: VxlanTunnel;
  readonly #former: FormerSysctls;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: LinuxOverlayOptions) {
    this.#options = options;
    this.#firewall = new HostFirewall(options.command);
    this.#wireguard = new WireguardTunnel(options);
    this.#vxlan = new VxlanTunnel(options.command);
    this.#former = new FormerSysctls(options.formerSysctls ?? "/var/lib/hansa/sysctls.json");
  }

  set(config: OverlayConfig, secrets: OverlaySecrets): Promise<OverlayReport> {
    return this.#serially(() => this.#set(config, secrets));
  }

  steer(config: OverlayConfig, secrets: OverlaySecrets): Promise<void> {
    return this.#serially(async () => {
      const setTunnel = await this.#prepareTunnel(config, secrets);
      await setTunnel();
    });
  }

  cleanUp(): Promise<void> {
    return this.#serially(() => this.#cleanUp());
  }

  async observe(): Promise<OverlayObservation> {
    if (await this.#vxlan.read(TUNNEL_DEVICES.vxlan)) return { backend: "kernel", peers: [] };
    return this.#wireguard.observe();
  }

  watch(onChange: () => void): () => void {
    return this.#wireguard.watch(onChange);
  }

  #serially<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#last.then(run, run);
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #set(config: OverlayConfig, secrets: OverlaySecrets): Promise<OverlayReport> {
    const changed: string[] = [];
    const problems: string[] = [];
    const [setTunnel, firewall, dockerUser] = await Promise.all([
      this.#prepareTunnel(config, secrets),
      this.#firewall.setTable(config.firewall, config.fastPath),
      this.#setDockerUser(config),
    ]);
    if (firewall.changed) changed.push("firewall table");
    if (dockerUser === "changed") changed.push("rules in DOCKER-USER");
    if (dockerUser === "no-chain") {
      problems.push(
        "OVERLAY_REFUSED: Docker's chain DOCKER-USER does not exist; is Docker running?",
      );
    }
    const tunnel = await setTunnel();
    if (tunnel === "changed") changed.push("tunnel");
    const devices = [config.bridge, config.tunnel.device];
    const network = await this.#seeNetwork(devices);
    const ip = planIp(config, network);
    changed.push(...ip.changed);
    problems.push(...ip.problems);
    await this.#batch(ip.lines);
    const sysctls = await setSysctls(config.sysctls, (path, was, set) =>
      this.#changingSysctl(path, was, set),
    );
    changed.push(...sysctls.changed);
    problems.push(...sysctls.problems);
    // The hooks sit on the devices and go with them; one that came anew may take what was refused while it was missing.
    const isSettled = firewall.fastPathStands && changed.length === 0;
    if (!isSettled && devices.every((device) => network.links.has(device))) {
      const fastPath = await this.#firewall.setFastPath(config.fastPath, changed.length > 0);
      if (fastPath !== undefined) changed.push(fastPath);
    }
    if (tunnel === "missing") throw tunnelMissing();
    return { changed, problems };
  }

  /** What may take its time (a process of its own makes WireGuard's device) is done beside the firewall, the rest after it. */
  async #prepareTunnel(
    { tunnel, mtu }: OverlayConfig,
    secrets: OverlaySecrets,
  ): Promise<SetTunnel> {
    const told = (changed: boolean) => (changed ? "changed" : "same");
    switch (tunnel.kind) {
      case "wireguard": {
        const found = await this.#wireguard.find();
        if (found === undefined) return async () => "missing";
        return async () => told(await this.#wireguard.set(found, tunnel, secrets));
      }
      case "vxlan":
        return async () => told(await this.#vxlan.set(tunnel, mtu));
    }
  }

  async #setDockerUser(config: OverlayConfig): Promise<"same" | "changed" | "no-chain"> {
    // A Docker that uses nftables has no such chain, and its host perhaps no iptables.
    if (config.dockerUser.length === 0) return "same";
    return this.#firewall.setDockerUser(config.dockerUser);
  }

  async #cleanUp(): Promise<void> {
    const tunnels = Object.values(TUNNEL_DEVICES);
    await this.#batch(planIpRemoval(await this.#seeNetwork(tunnels), tunnels));
    await this.#firewall.remove();
    await this.#former.restore();
    // Of a wireguard-go that was killed.
    await rm(join(UAPI_DIRECTORY, `${TUNNEL_DEVICES.wireguard}.sock`), { force: true });
    this.#wireguard.forgetSent();
  }

  /** The settings of our own interfaces go with these. */
  async #changingSysctl(path: string, was: number, set: number): Promise<void> {
    const own: readonly string[] = [this.#options.bridge, ...Object.values(TUNNEL_DEVICES)];
    if (!path.split("/").some((part) => own.includes(part)))
      await this.#former.note(path, was, set);
  }

  async #seeNetwork(devices: readonly string[]): Promise<SeenNetwork> {
    const argv = ["ip", "-json", "-force", "-batch", "-"];
    // Its status tells of missing interfaces, which the answer shows as well.
    const result = await this.#options.command.run(argv, { stdin: ipQuery(devices) });
    return parseIp(result.stdout);
  }

  async #batch(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const stdin = `${lines.join("\n")}\n`;
    need("ip", await this.#options.command.run(["ip", "-force", "-batch", "-"], { stdin }));
  }
}
