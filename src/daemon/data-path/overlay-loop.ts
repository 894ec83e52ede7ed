/**
 * Keeps the host's network as members and rings say: computes the desired state and sets it whole, soon after something changed, when the
 * tunnel's process came back, and every so often to repair what others changed.
 */
import { codedSentence } from "../../errors.ts";
import type { Logger } from "../../host/logger.ts";
import { desiredOverlay } from "../../overlay/desired-overlay.ts";
import type { Overlay, OverlayObservation } from "../../overlay/overlay.ts";
import type { OverlayConfig, OverlayInput, OverlaySecrets } from "../../overlay/overlay-config.ts";
import { steeredTunnel } from "../../overlay/steered-tunnel.ts";
import type { NodeId } from "../../values/node-id.ts";
import { Debounced } from "../timing/debounced.ts";

/** Changes come in bursts (a join brings member, ring and row): one set for all of a burst. */
const DELAY_MS = 15;
/** Four programs are run for a look, each started by a copy of this process, and idle hosts must stay idle. */
const REPAIR_MS = 60_000;
/** Where hosts have several links: a look also leads WireGuard off a link that its peer's last packets led it back to. */
const LINKS_REPAIR_MS = 30_000;

export interface OverlayLoopOptions {
  readonly overlay: Overlay;
  /** The input of this moment; undefined while it is not known yet (no Docker seen so far). */
  readonly input: () => OverlayInput | undefined;
  readonly secrets: (publicKeys: readonly string[]) => OverlaySecrets;
  readonly logger: Logger;
  /** The desired state was set; the peers are those with a tunnel now. */
  readonly applied: (peers: readonly number[]) => void;
}

export class OverlayLoop {
  readonly #options: OverlayLoopOptions;
  readonly #runs: Debounced;
  readonly #unwatch: () => void;
  /** Sets and steers, one after another: each begins with what the one before it made. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #moved = new Set<NodeId>();
  /** The config last set, as text; empty when something else may be set. */
  #set = "";
  /** What is set, with the steers since. */
  #config: OverlayConfig | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #problems: readonly string[] = [];
  #mtu = 1280;

  constructor(options: OverlayLoopOptions) {
    this.#options = options;
    this.#runs = new Debounced({
      job: () => this.#inTurn(() => this.#apply()),
      delayMs: DELAY_MS,
      everyMs: LINKS_REPAIR_MS,
      failed: (error) => this.#failed(error),
    });
    this.#unwatch = options.overlay.watch(() => this.repair());
    this.#runs.request();
  }

  /** Something that the desired state is made of may have changed. */
  changed(): void {
    this.#runs.request();
  }

  /** These peers are reached elsewhere: their tunnels follow at once, all else soon. */
  steer(peers: readonly NodeId[]): void {
    this.#runs.request();
    for (const peer of peers) this.#moved.add(peer);
    this.#inTurn(() => this.#steer()).catch((error) => this.#failed(error));
  }

  /** The host's network may have lost something, whatever is desired: it is looked at soon. */
  repair(): void {
    this.#lookedAtMs = Number.NEGATIVE_INFINITY;
    this.#runs.request();
  }

  /** What keeps the overlay from being as wanted, one sentence each. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** The tunnel's MTU as last set, in bytes. */
  get mtu(): number {
    return this.#mtu;
  }

  /** The tunnel's counters. Throws OVERLAY_TUNNEL_MISSING. */
  observe(): Promise<OverlayObservation> {
    return this.#options.overlay.observe();
  }

  async close(): Promise<void> {
    this.#unwatch();
    await this.#runs.close();
    await this.#turn;
  }

  #inTurn(job: () => Promise<void>): Promise<void> {
    const run = this.#turn.then(job);
    this.#turn = run.catch(() => undefined);
    return run;
  }

  /** One for all that moved while another turn ran. */
  async #steer(): Promise<void> {
    const moved = new Set(this.#moved);
    this.#moved.clear();
    const input = this.#options.input();
    const known = this.#config;
    if (!input || !known || moved.size === 0) return;
    const wanted = desiredOverlay(input);
    if (JSON.stringify(wanted) !== this.#set) this.#set = "";
    const config = { ...known, tunnel: steeredTunnel(known.tunnel, wanted.tunnel, moved) };
    this.#config = config;
    await this.#options.overlay.steer(config, this.#secretsFor(config));
  }

  async #apply(): Promise<void> {
    const input = this.#options.input();
    if (!input) return;
    const config = desiredOverlay(input);
    // Most news changes nothing here, and a look at the host costs several processes.
    const text = JSON.stringify(config);
    const nowMs = performance.now();
    const repairMs = input.self.hasSeveralLinks ? LINKS_REPAIR_MS : REPAIR_MS;
    if (text === this.#set && nowMs - this.#lookedAtMs < repairMs) return;
    this.#set = "";
    this.#lookedAtMs = nowMs;
    const report = await this.#options.overlay.set(config, this.#secretsFor(config));
    this.#set = text;
    this.#config = config;
    this.#mtu = config.mtu;
    this.#problems = report.problems;
    if (report.changed.length > 0) {
      this.#options.logger.info("overlay set", { changed: report.changed });
      this.#options.applied(config.tunnel.peers.map(({ id }) => id));
    }
  }

  #secretsFor({ tunnel }: OverlayConfig): OverlaySecrets {
    if (tunnel.kind !== "wireguard") return { privateKey: "", pairKeys: {} };
    return this.#options.secrets(tunnel.peers.map(({ publicKey }) => publicKey));
  }

  #failed(error: unknown): void {
    const sentence = codedSentence(error);
    this.#problems = [sentence];
    this.#options.logger.warn("overlay not set", { error: sentence });
  }
}
