/**
 * Which containers run on network `hansa` here, followed by Docker's events: told within a moment of a start or an end.
 *
 * Invariant: what is told is what Docker said after the last event about each container; a container that ended is taken out at once,
 * before Docker is asked about it.
 */
import type { Engine, EngineEvent } from "../docker/engine.ts";
import { codedSentence } from "../errors.ts";
import type { Logger } from "../host/logger.ts";
import type { NameEntry } from "../names/name-set.ts";
import { DOCKER_NETWORK_NAME } from "../overlay/docker-network.ts";
import { nameEntryOf } from "./container-names.ts";
import { Debounced } from "./debounced.ts";

/** Events of one start come within a few milliseconds. */
const DELAY_MS = 5;
/** Events are complete; this is for what nobody thought of. */
const EVERY_MS = 300_000;
const RETRY_MS = 1_000;
const AT_ONCE = 4;
const RUNNING = new Set(["running", "paused"]);
/** Actions after which a container has no names here, and those after which it may have others. */
const ENDS = { container: new Set(["die", "destroy"]), network: new Set(["disconnect"]) };
const CHANGES = { container: new Set(["start", "rename"]), network: new Set(["connect"]) };

export interface NameWatchOptions {
  readonly engine: Engine;
  readonly logger: Logger;
  /** All that run here now; called first when all of them are known. */
  readonly tell: (entries: readonly NameEntry[]) => void;
}

export class NameWatch {
  readonly #options: NameWatchOptions;
  readonly #runs: Debounced;
  readonly #entries = new Map<string, NameEntry>();
  /** Containers to ask Docker about. */
  readonly #due = new Set<string>();
  #mustList = true;
  #hasListed = false;
  #problem = "";

  constructor(options: NameWatchOptions) {
    this.#options = options;
    this.#runs = new Debounced({
      job: () => this.#look(),
      delayMs: DELAY_MS,
      everyMs: EVERY_MS,
      retryMs: RETRY_MS,
      failed: (error) => this.#failed(error),
    });
  }

  /** Every event of the Engine, in order. */
  seen(event: EngineEvent): void {
    if (event.kind === "lost") return;
    if (event.kind === "resync") {
      this.#mustList = true;
      this.#runs.request();
      return;
    }
    const id = event.kind === "network" ? event.attributes["container"] : event.id;
    const isAboutUs =
      event.kind === "container" || event.attributes["name"] === DOCKER_NETWORK_NAME;
    if (id === undefined || !isAboutUs) return;
    const hasEnded = ENDS[event.kind].has(event.action);
    if (!hasEnded && !CHANGES[event.kind].has(event.action)) return;
    this.#due.add(id);
    if (hasEnded && this.#entries.delete(id)) this.#tell();
    this.#runs.request();
  }

  async close(): Promise<void> {
    await this.#runs.close();
  }

  async #look(): Promise<void> {
    // The repair that nobody asked for.
    if (this.#due.size === 0) this.#mustList = true;
    if (this.#mustList) await this.#list();
    while (this.#due.size > 0) {
      const ids = [...this.#due].slice(0, AT_ONCE);
      for (const id of ids) this.#due.delete(id);
      try {
        await Promise.all(ids.map((id) => this.#inspect(id)));
      } catch (error) {
        for (const id of ids) this.#due.add(id);
        throw error;
      }
      if (this.#hasListed) this.#tell();
    }
    this.#hasListed = true;
    this.#problem = "";
    this.#tell();
  }

  async #list(): Promise<void> {
    const { engine } = this.#options;
    this.#mustList = false;
    try {
      const found = await engine.listContainers({ network: DOCKER_NETWORK_NAME });
      const running = found.filter(({ status }) => RUNNING.has(status)).map(({ id }) => id);
      for (const id of [...running, ...this.#entries.keys()]) this.#due.add(id);
    } catch (error) {
      this.#mustList = true;
      throw error;
    }
  }

  async #inspect(id: string): Promise<void> {
    const container = await this.#options.engine.inspectContainer(id);
    // An event came meanwhile: what was seen may be from before it.
    if (this.#due.has(id)) return;
    const entry = container && nameEntryOf(container);
    if (entry) this.#entries.set(id, entry);
    else this.#entries.delete(id);
  }

  #tell(): void {
    if (this.#hasListed) this.#options.tell([...this.#entries.values()]);
  }

  #failed(error: unknown): void {
    const sentence = codedSentence(error);
    // The same again every second would fill the log.
    if (sentence === this.#problem) return;
    this.#problem = sentence;
    this.#options.logger.warn("containers' names cannot be read", { error: sentence });
  }
}
