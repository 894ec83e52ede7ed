/** An overlay without a host, for tests of what drives one: it remembers what it was told and can lose its tunnel. */
import { HansaError } from "../errors.ts";
import type { Overlay, OverlayObservation, OverlayReport, PeerTraffic } from "./overlay.ts";
import type { OverlayConfig, OverlaySecrets } from "./overlay-config.ts";

export class MemoryOverlay implements Overlay {
  /** The last config set; undefined before, and after `cleanUp`. */
  config: OverlayConfig | undefined;
  secrets: OverlaySecrets | undefined;
  /** How often `set` was called, and how often it changed anything. */
  sets = 0;
  changes = 0;
  /** How often `steer` was called. */
  steers = 0;
  /** Traffic that `observe` reports for a peer, by public key. */
  readonly traffic = new Map<string, Omit<PeerTraffic, "publicKey">>();
  #missing = false;
  readonly #watchers = new Set<() => void>();

  async set(config: OverlayConfig, secrets: OverlaySecrets): Promise<OverlayReport> {
    this.sets += 1;
    this.#needTunnel();
    const before = JSON.stringify([this.config, this.secrets]);
    this.config = config;
    this.secrets = secrets;
    if (JSON.stringify([config, secrets]) === before) return { changed: [], problems: [] };
    this.changes += 1;
    return { changed: ["all"], problems: [] };
  }

  async steer(config: OverlayConfig): Promise<void> {
    this.#needTunnel();
    this.steers += 1;
    this.config = config;
  }

  async observe(): Promise<OverlayObservation> {
    this.#needTunnel();
    const tunnel = this.config?.tunnel;
    if (tunnel?.kind === "vxlan") return { backend: "kernel", peers: [] };
    return {
      backend: "userspace",
      peers: (tunnel?.peers ?? []).map(({ publicKey, endpoint }) => ({
        publicKey,
        endpoint,
        handshakeAgeMs: undefined,
        rxBytes: 0,
        txBytes: 0,
        ...this.traffic.get(publicKey),
      })),
    };
  }

  watch(onChange: () => void): () => void {
    this.#watchers.add(onChange);
    return () => this.#watchers.delete(onChange);
  }

  async cleanUp(): Promise<void> {
    this.config = undefined;
    this.secrets = undefined;
    this.traffic.clear();
  }

  /** The tunnel's process ends: `set` and `observe` fail until `tunnelBack`. */
  loseTunnel(): void {
    this.#missing = true;
    this.config = undefined;
  }

  tunnelBack(): void {
    this.#missing = false;
    for (const onChange of this.#watchers) onChange();
  }

  #needTunnel(): void {
    if (this.#missing) {
      throw new HansaError("OVERLAY_TUNNEL_MISSING", "the tunnel hansa-wg does not exist");
    }
  }
}
