/**
 * The daemon's eyes on Docker: keeps the network `hansa` in being, and mends what Docker lost or gave up on.
 *
 * Everything here happens outside of Docker's requests to the plugin, so that Docker never waits for somebody who waits for Docker.
 */
import type { Container, Engine, EngineEvent, EngineInfo } from "../../docker/engine.ts";
import { codedSentence, HansaError } from "../../errors.ts";
import { type Clock, systemClock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import {
  DOCKER_NETWORK_NAME,
  type DockerNetworkBody,
  dockerNetworkDiffers,
} from "../../overlay/docker-network.ts";
import { type Ipv4, parseIpv4 } from "../../values/ipv4.ts";
import {
  LEAK_WATCH_MS,
  type LeakWatch,
  reconcile,
  type SeenContainer,
  type SeenLease,
  watchedLeases,
} from "../addresses/reconcile-plan.ts";
import { Debounced } from "../timing/debounced.ts";

/** After an event: containers of one compose file come in bursts. */
const DELAY_MS = 100;
const EVERY_MS = 30_000;
/** After a refusal or with Docker out of reach. */
const RETRY_MS = 2_000;
/** A repair ends then, also where leases without a container come and go. */
const REPAIR_MS = LEAK_WATCH_MS + 2_000;
const REPAIR_LOOK_MS = 500;
/** Events after which leases and containers may differ, or Docker may have given up. */
const ACTIONS = new Set(["die", "destroy", "connect", "disconnect", "create", "remove"]);

export interface DockerLoopOptions {
  readonly engine: Engine;
  readonly logger: Logger;
  /** The network as it should be; undefined while that is not known. */
  readonly network: (info: EngineInfo) => DockerNetworkBody | undefined;
  readonly pluginConnected: () => boolean;
  readonly leases: () => Promise<{ readonly leases: readonly SeenLease[] }>;
  readonly free: (addresses: readonly Ipv4[]) => Promise<number>;
  /** The containers on our network as just looked at. */
  readonly seen?: (containers: readonly SeenContainer[]) => void;
  /** How old leases are; the host's by default. */
  readonly clock?: Pick<Clock, "wallMs" | "monotonicMs" | "after">;
  /** Each event, before anything is done about it. */
  readonly event?: (event: EngineEvent) => void;
  /** Docker came, went, or has another version. */
  readonly changed: () => void;
}

export class DockerLoop {
  readonly #options: DockerLoopOptions;
  readonly #runs: Debounced;
  readonly #closing = new AbortController();
  #lastEnsured: Promise<unknown> = Promise.resolve();
  #info: EngineInfo | undefined;
  #hasNetwork = false;
  #problem: string | undefined;
  #watch: LeakWatch = new Map();
  readonly #network = Promise.withResolvers<void>();

  constructor(options: DockerLoopOptions) {
    this.#options = options;
    this.#runs = new Debounced({
      job: () => this.#reconcile(),
      delayMs: DELAY_MS,
      everyMs: EVERY_MS,
      retryMs: RETRY_MS,
      failed: (error) => this.#failed(error),
    });
    void this.#follow();
    // An Engine that is not there sends no events: this says so.
    this.#runs.request();
  }

  /** The Engine as last seen; undefined until it was reached once. */
  get info(): EngineInfo | undefined {
    return this.#info;
  }

  /** True while Docker answers and has our network. */
  get hasNetwork(): boolean {
    return this.#hasNetwork;
  }

  /** Why Docker is not as it should be, in one sentence. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Resolves when Docker has the network for the first time in this life. */
  get networkMade(): Promise<void> {
    return this.#network.promise;
  }

  /** Leases that no container of our network has at this moment, with their age. Rejects without plugin or Docker. */
  async unheldLeases(): Promise<{ readonly address: Ipv4; readonly ageMs: number }[]> {
    const { clock = systemClock } = this.#options;
    const { leases } = await this.#options.leases();
    const held = new Set((await this.containers()).map(({ address }) => address));
    const nowMs = clock.wallMs();
    return leases
      .filter(({ address }) => !held.has(address))
      .map(({ address, sinceMs }) => ({ address, ageMs: nowMs - sinceMs }));
  }

  /** The plugin is there (again): what waited for it is done at once. */
  wake(): void {
    this.#runs.request(0);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#runs.close();
  }

  async #follow(): Promise<void> {
    for await (const event of this.#options.engine.events(this.#closing.signal)) {
      this.#options.event?.(event);
      if (event.kind === "lost") {
        this.#hasNetwork = false;
        this.#problem = "DOCKER_UNREACHABLE: the Docker Engine does not answer";
        this.#options.changed();
      } else if (event.kind === "resync") {
        await this.#resync();
      } else if (ACTIONS.has(event.action)) {
        this.#runs.request();
      }
    }
  }

  /** Docker (again) answers: look at all of it at once, the network first. */
  async #resync(): Promise<void> {
    try {
      this.#info = await this.#options.engine.info();
      this.#problem = undefined;
      await this.#ensureNetwork(this.#info);
    } catch (error) {
      this.#failed(error);
    }
    this.#options.changed();
    this.#runs.request();
  }

  /** One at a time: a resync and a reconciliation would both make the network that both miss. */
  #ensureNetwork(info: EngineInfo): Promise<void> {
    const result = this.#lastEnsured.then(() => this.#ensure(info));
    this.#lastEnsured = result.catch(() => undefined);
    return result;
  }

  async #ensure(info: EngineInfo): Promise<void> {
    const { engine, logger } = this.#options;
    const body = this.#options.network(info);
    // Docker asks the plugin while it makes the network, and waits 15 s for one that is not there.
    if (!body || !this.#options.pluginConnected()) return;
    const existing = await engine.inspectNetwork(DOCKER_NETWORK_NAME);
    if (existing) {
      const differs = dockerNetworkDiffers(body, {
        Driver: existing.driver,
        IPAM: {
          Driver: existing.ipamDriver,
          Config: [{ Subnet: existing.subnet, Gateway: existing.gateway }],
        },
        Options: existing.options,
      });
      if (differs.length === 0) {
        this.#networkIsThere();
        return;
      }
      if (existing.endpoints.length > 0) {
        // Told and left: containers with failed starts and leaks are mended all the same.
        this.#networkIsThere();
        const error = new HansaError(
          "DOCKER_NETWORK_DIFFERS",
          `the Docker network ${DOCKER_NETWORK_NAME} has another ${differs.join(", ")} than it should and containers are on it`,
        );
        // With the values, which the sentence leaves out: a difference that comes and goes is found by them.
        logger.info("the Docker network differs", {
          wanted: body.Options,
          existing: existing.options,
        });
        this.#failed(error);
        return;
      }
      logger.info("making the Docker network anew", { differs });
      await engine.removeNetwork(DOCKER_NETWORK_NAME);
    }
    // Nobody has it now; and a new network has a new bridge, which the overlay must see at once.
    this.#hasNetwork = false;
    const { IPAM, Options } = body;
    await engine.createNetwork({
      name: body.Name,
      driver: body.Driver,
      ipamDriver: IPAM.Driver,
      subnet: IPAM.Config[0].Subnet,
      gateway: IPAM.Config[0].Gateway,
      options: Options,
      labels: {},
    });
    logger.info("made the Docker network", { name: body.Name });
    this.#networkIsThere();
  }

  #networkIsThere(): void {
    this.#problem = undefined;
    if (this.#hasNetwork) return;
    this.#hasNetwork = true;
    this.#network.resolve();
    this.#options.changed();
  }

  async #reconcile(): Promise<void> {
    const { engine, logger } = this.#options;
    if (!this.#info) this.#info = await engine.info();
    if (!this.#options.pluginConnected()) return;
    await this.#ensureNetwork(this.#info);
    const { clock = systemClock } = this.#options;
    const times = { wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs() };
    // Leases first: whoever takes one after this look is not missed by the second, but younger than the grace.
    const { leases } = await this.#options.leases();
    const containers = await this.containers();
    this.#options.seen?.(containers);
    const { steps, watch } = reconcile({ leases, containers, ...times }, this.#watch);
    this.#watch = watch;
    for (const step of steps) {
      if (step.type === "free") {
        const freed = await this.#options.free(step.addresses);
        logger.warn("freed addresses that no container holds", { freed });
      } else {
        logger.warn("starting a container that Docker gave up on", { name: step.name });
        // One that cannot be started does not keep the others from it.
        await engine.startContainer(step.id).catch((error: unknown) => this.#failed(error));
      }
    }
  }

  /**
   * Frees at once what no container holds, without the grace that a lease otherwise has: who asks has looked. Watched for 10 s all the
   * same, because a container that is about to start has its lease before Docker shows it. Resolves to what was freed.
   */
  async freeUnheld(): Promise<Ipv4[]> {
    const { clock = systemClock } = this.#options;
    const end = clock.monotonicMs() + REPAIR_MS;
    let watch = this.#watch;
    for (;;) {
      const monotonicMs = clock.monotonicMs();
      const { leases } = await this.#options.leases();
      watch = watchedLeases({ leases, containers: await this.containers(), monotonicMs }, watch);
      const isRipe = ([, { firstMs }]: readonly [Ipv4, { readonly firstMs: number }]) =>
        monotonicMs - firstMs >= LEAK_WATCH_MS;
      const ripe = [...watch].filter(isRipe).map(([address]) => address);
      if (ripe.length < watch.size && monotonicMs < end) {
        await new Promise<void>((resolve) => clock.after(REPAIR_LOOK_MS, resolve));
        continue;
      }
      if (ripe.length > 0) await this.#options.free(ripe);
      return ripe;
    }
  }

  /** Containers on our network, stopped ones too. */
  async containers(): Promise<SeenContainer[]> {
    const { engine } = this.#options;
    const summaries = await engine.listContainers({ network: DOCKER_NETWORK_NAME });
    const seen: SeenContainer[] = [];
    for (const { id } of summaries) {
      const container = await engine.inspectContainer(id);
      if (container) seen.push(seenContainer(container));
    }
    return seen;
  }

  #failed(error: unknown): void {
    const sentence = codedSentence(error);
    // The same again every two seconds would fill the log.
    if (sentence === this.#problem) return;
    this.#problem = sentence;
    this.#options.logger.warn("Docker is not as it should be", { error: sentence });
  }
}

function seenContainer(container: Container): SeenContainer {
  const { id, name, running, error, restartPolicy, attachments } = container;
  const ours = attachments.find(({ network }) => network === DOCKER_NETWORK_NAME);
  return { id, name, running, error, restartPolicy, address: parseIpv4(ours?.address ?? "") };
}
