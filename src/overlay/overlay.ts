/**
 * The port to the host's network: desired state goes in whole, what differs is changed.
 *
 * Implemented by `LinuxOverlay` and, for tests of what stands above, by `MemoryOverlay`.
 */
import type { OverlayConfig, OverlaySecrets } from "./overlay-config.ts";

export interface OverlayReport {
  /** What was changed, for the log; empty when all was as wanted. */
  readonly changed: readonly string[];
  /** What could not be as wanted though the overlay works as far as it can, one sentence each; for status and doctor. */
  readonly problems: readonly string[];
}

export interface PeerTraffic {
  readonly publicKey: string;
  /** Where its packets come from now, as "ip:port"; null while unknown. */
  readonly endpoint: string | null;
  /** Milliseconds since the last handshake; undefined: never. */
  readonly handshakeAgeMs: number | undefined;
  readonly rxBytes: number;
  readonly txBytes: number;
}

export interface OverlayObservation {
  /** "kernel", or "userspace" for wireguard-go. */
  readonly backend: "kernel" | "userspace";
  /** WireGuard's peers; VXLAN keeps no account of single peers. */
  readonly peers: readonly PeerTraffic[];
}

export interface Overlay {
  /**
   * Makes the host's network what `config` says. May be called at any time with equal or other configs; calls are carried out
   * one after another. Equal ones change nothing and cost little; what others deleted or flushed comes back.
   *
   * Throws OVERLAY_TUNNEL_MISSING when the tunnel does not appear in time (the rest is set before), and
   * OVERLAY_REFUSED with the program's words when the host refuses a setting.
   */
  set(config: OverlayConfig, secrets: OverlaySecrets): Promise<OverlayReport>;
  /**
   * Only the tunnel's part of a config that was set before and differs from it by where peers are: quick, because nothing else is looked at.
   * Throws as `set`.
   */
  steer(config: OverlayConfig, secrets: OverlaySecrets): Promise<void>;
  /** Traffic of each peer of the tunnel. Throws OVERLAY_TUNNEL_MISSING. */
  observe(): Promise<OverlayObservation>;
  /**
   * Calls `onChange` when the tunnel's process came back, which then knows nothing: call `set` at once. May call too often. The returned
   * function ends it. A tunnel of the kernel never does this.
   */
  watch(onChange: () => void): () => void;
  /** Removes all that `set` made, also by an earlier process. Docker's bridge stays; host-wide sysctls become what they were. */
  cleanUp(): Promise<void>;
}
