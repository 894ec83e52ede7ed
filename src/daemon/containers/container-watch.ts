/**
 * The containers on network `hansa` here, stopped ones too, followed by Docker's events: known within a moment of each change.
 *
 * Invariant: what is told is what Docker said after the last event about each container; one that ended is told at once, before Docker is asked
 * about it. While Docker is away what was known stays.
 */
import type { Container, Engine, EngineEvent, ObjectEvent } from "../../docker/engine.ts";
import { codedSentence } from "../../errors.ts";
import type { Logger } from "../../host/logger.ts";
import { DOCKER_NETWORK_NAME } from "../../overlay/docker-network.ts";
import { Debounced } from "../timing/debounced.ts";

/** Events of one start come within a few milliseconds. */
const DELAY_MS = 5;
/** Events are complete; this is for what nobody thought of. */
const EVERY_MS = 300_000;
const RETRY_MS = 1_000;
const AT_ONCE = 4;
/** Actions after which Docker is asked about a container; a check's result comes with a colon and a word. */
const CHANGES: Readonly<Record<ObjectEvent["kind"], RegExp>> = {
  container: /^(create|start|die|destroy|rename|pause|unpause|update|health_status)(:|$)/,
  network: /^(connect|disconnect)$/,
  image: /^(delete|import|load|pull|tag|untag)$/,
};

export interface WatchedContainer extends Container {
  /** Whether its image is on this host; a stopped container may outlive it. */
  readonly hasImage: boolean;
}

export type ContainerChange =
  /** All are known, for the first time or after Docker was away. */
  | { readonly type: "listed" }
  | { readonly type: "changed"; readonly container: WatchedContainer }
  | { readonly type: "gone"; readonly id: string }
  /** Docker is away. */
  | { readonly type: "lost" };

export interface ContainerWatchOptions {
  readonly engine: Engine;
  readonly logger: Logger;
  /** After each change, in order; first when all are known. */
  readonly told: (change: ContainerChange) => void;
}

export class ContainerWatch {
  readonly #options: ContainerWatchOptions;
  readonly #runs: Debounced;
  readonly #containers = new Map<string, WatchedContainer>();
  /** Of the images that containers have; forgotten with each change of images. */
  readonly #images = new Map<string, boolean>();
  /** Containers to ask Docker about. */
  readonly #due = new Set<string>();
  /** Images came or went since those of the containers were looked for. */
  #mustFindImages = false;
  #mustList = true;
  /** False until all are known. */
  #isComplete = false;
  #hasListed = false;
  #problem = "";

  constructor(options: ContainerWatchOptions) {
    this.#options = options;
    this.#runs = new Debounced({
      job: () => this.#look(),
      delayMs: DELAY_MS,
      everyMs: EVERY_MS,
      retryMs: RETRY_MS,
      failed: (error) => this.#failed(error),
    });
  }

  /** By id, as last known. */
  get containers(): ReadonlyMap<string, WatchedContainer> {
    return this.#containers;
  }

  /** Every event of the Engine, in order. */
  seen(event: EngineEvent): void {
    if (event.kind === "lost") {
      this.#isComplete = false;
      this.#tell({ type: "lost" });
    } else if (event.kind === "resync") {
      this.#mustList = true;
      this.#runs.request();
    } else if (CHANGES[event.kind].test(event.action)) {
      if (event.kind === "image") this.#imagesChanged();
      else this.#changed(event);
    }
  }

  async close(): Promise<void> {
    await this.#runs.close();
  }

  #changed(event: ObjectEvent): void {
    const { kind, action, attributes } = event;
    const id = kind === "network" ? attributes["container"] : event.id;
    const isAboutUs = kind === "container" || attributes["name"] === DOCKER_NETWORK_NAME;
    if (id === undefined || !isAboutUs) return;
    this.#due.add(id);
    if (action === "destroy" || action === "disconnect") this.#drop(id);
    if (action === "die") this.#ended(id, event.timeMs, Number(attributes["exitCode"] ?? 0));
    this.#runs.request();
  }

  /** As far as the event tells; the rest comes when Docker was asked. */
  #ended(id: string, timeMs: number, exitCode: number): void {
    const known = this.#containers.get(id);
    if (!known?.running) return;
    this.#set({
      ...known,
      ...{ status: "exited", running: false, exitCode: Number.isInteger(exitCode) ? exitCode : 0 },
      finishedAt: new Date(timeMs).toISOString(),
      attachments: known.attachments.map((attachment) => ({ ...attachment, address: "" })),
    });
  }

  #imagesChanged(): void {
    this.#mustFindImages = true;
    this.#runs.request();
  }

  async #look(): Promise<void> {
    // The repair that nobody asked for.
    if (this.#due.size === 0 && !this.#mustFindImages) this.#mustList = true;
    if (this.#mustList) await this.#list();
    if (this.#mustFindImages) await this.#findImages();
    while (this.#due.size > 0) {
      const ids = [...this.#due].slice(0, AT_ONCE);
      for (const id of ids) this.#due.delete(id);
      try {
        await Promise.all(ids.map((id) => this.#inspect(id)));
      } catch (error) {
        for (const id of ids) this.#due.add(id);
        throw error;
      }
    }
    this.#problem = "";
    if (this.#isComplete) return;
    this.#isComplete = true;
    this.#hasListed = true;
    this.#tell({ type: "listed" });
  }

  async #list(): Promise<void> {
    const { engine } = this.#options;
    this.#mustList = false;
    try {
      const found = await engine.listContainers({ network: DOCKER_NETWORK_NAME });
      for (const id of [...found.map(({ id }) => id), ...this.#containers.keys()]) {
        this.#due.add(id);
      }
    } catch (error) {
      this.#mustList = true;
      throw error;
    }
  }

  async #inspect(id: string): Promise<void> {
    const { engine } = this.#options;
    const container = await engine.inspectContainer(id);
    const isOurs = container?.attachments.some(({ network }) => network === DOCKER_NETWORK_NAME);
    const hasImage = isOurs === true && (await this.#hasImage(container?.imageId ?? ""));
    // An event came meanwhile: what was seen may be from before it.
    if (this.#due.has(id)) return;
    if (container && isOurs) this.#set({ ...container, hasImage });
    else this.#drop(id);
  }

  /** Asks for each image once: nothing else of a container changes with it. */
  async #findImages(): Promise<void> {
    this.#mustFindImages = false;
    this.#images.clear();
    try {
      for (const { id, imageId } of [...this.#containers.values()]) {
        const hasImage = await this.#hasImage(imageId);
        // It may have changed or gone meanwhile.
        const known = this.#containers.get(id);
        if (known?.imageId === imageId) this.#set({ ...known, hasImage });
      }
    } catch (error) {
      this.#mustFindImages = true;
      throw error;
    }
  }

  async #hasImage(imageId: string): Promise<boolean> {
    const known = this.#images.get(imageId);
    if (known !== undefined) return known;
    const found = await this.#options.engine.hasImage(imageId);
    this.#images.set(imageId, found);
    return found;
  }

  #set(container: WatchedContainer): void {
    const known = this.#containers.get(container.id);
    if (known && JSON.stringify(known) === JSON.stringify(container)) return;
    this.#containers.set(container.id, container);
    this.#tell({ type: "changed", container });
  }

  #drop(id: string): void {
    if (this.#containers.delete(id)) this.#tell({ type: "gone", id });
  }

  /** Before all are known nobody is told of some. */
  #tell(change: ContainerChange): void {
    if (this.#hasListed || change.type === "lost") this.#options.told(change);
  }

  #failed(error: unknown): void {
    const sentence = codedSentence(error);
    // The same again every second would fill the log.
    if (sentence === this.#problem) return;
    this.#problem = sentence;
    this.#options.logger.warn("containers cannot be read", { error: sentence });
  }
}
