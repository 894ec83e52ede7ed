/** The VXLAN device of a real host, by `ip` and `bridge`: asked once a `set` and told only what differs. */
import type { Command } from "../host/command.ts";
import { need } from "./host-firewall.ts";
import type { VxlanTunnel as VxlanConfig } from "./overlay-config.ts";
import { parseVxlan, planVxlan, type SeenVxlan, vxlanQuery } from "./vxlan-device-plan.ts";

export class VxlanTunnel {
  readonly #command: Command;
  /** We turned the offload off; one that an administrator turned off is left alone. */
  #isSoftware = false;

  constructor(command: Command) {
    this.#command = command;
  }

  /** Makes device, neighbours and forwarding entries what `config` says; true when they were not. Throws OVERLAY_REFUSED. */
  async set(config: VxlanConfig, mtu: number): Promise<boolean> {
    const change = planVxlan(config, await this.read(config.device), mtu);
    if (change !== undefined) {
      // Without -force, so that what comes after a refusal is not done on the wrong device.
      await this.#batch("ip", change.ip);
      await this.#batch("bridge", change.bridge);
    }
    return (await this.#setChecksums(config)) || change !== undefined;
  }

  /** The device as it is; "other" when something else has its name. */
  async read(device: string): Promise<SeenVxlan | "other" | undefined> {
    const ask = ["ip", "-json", "-details", "-force", "-batch", "-"];
    const [links, entries] = await Promise.all([
      this.#command.run(ask, { stdin: vxlanQuery(device) }),
      this.#command.run(["bridge", "-json", "fdb", "show", "dev", device]),
    ]);
    return parseVxlan(links.stdout, entries.stdout, device);
  }

  /** Turning checksums off turns segmentation off as well, which costs throughput: docs/internals/overlay.md. */
  async #setChecksums({ device, checksums }: VxlanConfig): Promise<boolean> {
    if (checksums === "offloaded" && !this.#isSoftware) return false;
    const shown = await this.#command.run(["ethtool", "-k", device]);
    need("ethtool", shown);
    const isSoftware = /^\s*tx-checksum-ip-generic: off\b/m.test(shown.stdout);
    this.#isSoftware = checksums === "software";
    if (isSoftware === this.#isSoftware) return false;
    const features = ["tx-checksum-ip-generic", this.#isSoftware ? "off" : "on"];
    need("ethtool", await this.#command.run(["ethtool", "-K", device, ...features]));
    return true;
  }

  async #batch(program: string, lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const stdin = `${lines.join("\n")}\n`;
    need(program, await this.#command.run([program, "-batch", "-"], { stdin }));
  }
}
