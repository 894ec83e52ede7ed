/**
 * An Engine that only remembers: networks, containers, addresses and events, with the refusals of a real one.
 *
 * Invariant: what the shared suite (engine-suite.ts) demands of a real Engine holds here too.
 */
import { HansaError } from "../errors.ts";
import type {
  Container,
  ContainerSummary,
  Engine,
  EngineEvent,
  EngineInfo,
  Network,
  NetworkSpec,
} from "./engine.ts";
import { FakeContainerEngine } from "./fake-container-engine.ts";

interface FakeNetwork extends NetworkSpec {
  readonly id: string;
}

interface FakeAttachment {
  address: string;
  readonly fixedAddress: string;
  readonly aliases: readonly string[];
}

interface FakeContainer {
  readonly id: string;
  readonly name: string;
  status: string;
  error: string;
  exitCode: number;
  startedAt: string;
  finishedAt: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly restartPolicy: string;
  /** By network name. */
  readonly attachments: Map<string, FakeAttachment>;
}

export interface FakeContainerSpec {
  readonly name: string;
  readonly network?: string;
  readonly address?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly restartPolicy?: string;
}

const FAKE_IMAGE = `sha256:${"fa".repeat(32)}`;
const NEVER = "0001-01-01T00:00:00Z";

export class FakeEngine implements Engine {
  readonly inside = new FakeContainerEngine((name) => {
    this.#answer();
    const container = this.#container(name);
    return container && { id: container.id, running: container.status === "running" };
  });
  readonly #networks = new Map<string, FakeNetwork>();
  readonly #containers = new Map<string, FakeContainer>();
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  readonly #info: EngineInfo;
  #sequence = 0;
  #down = false;
  #hasImage = true;
  /** The plugin's part: the address for a request, "" for any; throws to refuse. Counts up unless replaced. */
  allocate: (asked: string) => string = (asked) => asked || `10.40.0.${++this.#sequence % 256}`;
  release: (address: string) => void = () => undefined;

  constructor(info: Partial<EngineInfo> = {}) {
    this.#info = {
      id: "FAKE:ENGINE:ID",
      name: "fake",
      version: "20.10.24",
      apiVersion: "1.41",
      liveRestore: false,
      firewall: "iptables",
      rootless: false,
      ...info,
    };
  }

  /** Stops answering, as when dockerd is down; the containers stop. */
  stop(): void {
    for (const container of this.#containers.values()) {
      if (container.status === "running") this.#end(container, 137);
    }
    this.#down = true;
    this.#emit({ kind: "lost" });
  }

  /** Answers again; containers that were to be kept running are started. */
  start(): void {
    this.#down = false;
    this.#emit({ kind: "resync" });
    for (const container of this.#containers.values()) {
      if (container.restartPolicy !== "always") continue;
      try {
        this.#begin(container);
      } catch (error) {
        // As Docker does: the reason stays with the container, which is not tried again.
        if (!(error instanceof HansaError)) throw error;
      }
    }
  }

  /** What `docker create` does; the id. */
  createContainer(spec: FakeContainerSpec): string {
    const id = this.#newId();
    const attachments = new Map<string, FakeAttachment>();
    attachments.set(spec.network ?? "bridge", {
      address: "",
      fixedAddress: spec.address ?? "",
      aliases: [],
    });
    this.#containers.set(id, {
      id,
      name: spec.name,
      status: "created",
      error: "",
      exitCode: 0,
      startedAt: NEVER,
      finishedAt: NEVER,
      labels: spec.labels ?? {},
      restartPolicy: spec.restartPolicy ?? "no",
      attachments,
    });
    this.#tell("container", "create", id, { name: spec.name });
    return id;
  }

  /** What `docker stop` does. */
  stopContainer(name: string): void {
    const container = this.#container(name);
    if (container?.status === "running") this.#end(container, 0);
  }

  /** What `docker rm -f` does. */
  removeContainer(name: string): void {
    const container = this.#container(name);
    if (!container) return;
    if (container.status === "running") this.#end(container, 137);
    this.#containers.delete(container.id);
    this.#tell("container", "destroy", container.id, { name: container.name });
  }

  async info(): Promise<EngineInfo> {
    this.#answer();
    return this.#info;
  }

  async createNetwork(spec: NetworkSpec): Promise<string> {
    this.#answer();
    if (this.#network(spec.name)) throw refused(`network with name ${spec.name} already exists`);
    const id = this.#newId();
    this.#networks.set(id, { ...spec, id });
    this.#tell("network", "create", id, { name: spec.name, type: spec.driver });
    return id;
  }

  async inspectNetwork(name: string): Promise<Network | undefined> {
    this.#answer();
    const network = this.#network(name);
    if (!network) return undefined;
    const endpoints = [...this.#containers.values()].flatMap((container) => {
      const attachment = container.attachments.get(network.name);
      if (!attachment?.address) return [];
      const { address } = attachment;
      return [
        { containerId: container.id, containerName: container.name, address, mac: macOf(address) },
      ];
    });
    return { ...network, endpoints };
  }

  async removeNetwork(name: string): Promise<boolean> {
    const network = await this.inspectNetwork(name);
    if (!network) return false;
    if (network.endpoints.length > 0) {
      throw refused(`error while removing network: network ${network.name} has active endpoints`);
    }
    this.#networks.delete(network.id);
    this.#tell("network", "destroy", network.id, { name: network.name, type: network.driver });
    return true;
  }

  async listContainers(
    filter: { readonly network?: string } = {},
  ): Promise<readonly ContainerSummary[]> {
    this.#answer();
    const wanted = filter.network === undefined ? undefined : this.#network(filter.network)?.name;
    return [...this.#containers.values()]
      .filter((each) => filter.network === undefined || each.attachments.has(wanted ?? ""))
      .map(({ id, name, status, labels }) => ({ id, name, image: "fake", status, labels }));
  }

  async inspectContainer(name: string): Promise<Container | undefined> {
    this.#answer();
    const container = this.#container(name);
    if (!container) return undefined;
    const { attachments, ...rest } = container;
    return {
      ...rest,
      ...{ image: "fake", imageId: FAKE_IMAGE, createdAt: NEVER, health: "", oomKilled: false },
      ports: [],
      hostname: container.id.slice(0, 12),
      running: container.status === "running",
      attachments: [...attachments].map(([network, attachment]) => ({
        network,
        networkId: this.#network(network)?.id ?? "",
        ...attachment,
      })),
    };
  }

  async hasImage(image: string): Promise<boolean> {
    this.#answer();
    return this.#hasImage && (image === FAKE_IMAGE || image === "fake");
  }

  /** What `docker rmi -f` does to the one image that there is. */
  removeImage(): void {
    this.#hasImage = false;
    this.#tell("image", "delete", FAKE_IMAGE, {});
  }

  async startContainer(name: string): Promise<boolean> {
    this.#answer();
    const container = this.#container(name);
    if (!container) return false;
    if (container.status !== "running") this.#begin(container);
    return true;
  }

  async connectNetwork(
    network: string,
    container: string,
    options: { readonly address?: string; readonly aliases?: readonly string[] } = {},
  ): Promise<void> {
    this.#answer();
    const to = this.#network(network);
    const what = this.#container(container);
    if (!to) throw refused(`network ${network} not found`);
    if (!what) throw refused(`No such container: ${container}`);
    if (what.attachments.has(to.name)) {
      throw refused(`endpoint with name ${what.name} already exists in network ${to.name}`);
    }
    const { address = "", aliases = [] } = options;
    const attachment: FakeAttachment = { address: "", fixedAddress: address, aliases };
    if (what.status === "running") attachment.address = this.allocate(address);
    what.attachments.set(to.name, attachment);
    this.#tell("network", "connect", to.id, { name: to.name, container: what.id });
  }

  async disconnectNetwork(network: string, container: string, force: boolean): Promise<void> {
    this.#answer();
    const from = this.#network(network);
    const what = this.#container(container);
    if (!from) throw refused(`network ${network} not found`);
    const attachment = what?.attachments.get(from.name);
    if (!what || !attachment) {
      if (force) return;
      throw refused(`container ${container} is not connected to network ${from.name}`);
    }
    if (attachment.address) this.release(attachment.address);
    what.attachments.delete(from.name);
    this.#tell("network", "disconnect", from.id, { name: from.name, container: what.id });
  }

  async *events(signal: AbortSignal): AsyncGenerator<EngineEvent> {
    const queue: EngineEvent[] = this.#down ? [] : [{ kind: "resync" }];
    let wake = (): void => undefined;
    const listen = (event: EngineEvent): void => {
      queue.push(event);
      wake();
    };
    const stop = (): void => wake();
    this.#listeners.add(listen);
    signal.addEventListener("abort", stop);
    try {
      while (!signal.aborted) {
        const event = queue.shift();
        if (event) yield event;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#listeners.delete(listen);
      signal.removeEventListener("abort", stop);
    }
  }

  #begin(container: FakeContainer): void {
    const taken: [FakeAttachment, string][] = [];
    try {
      for (const [network, attachment] of container.attachments) {
        if (network === "bridge") continue;
        if (!this.#network(network)) throw refused(`network ${network} not found`);
        taken.push([attachment, this.allocate(attachment.fixedAddress)]);
      }
    } catch (error) {
      for (const [, address] of taken) this.release(address);
      container.error = error instanceof Error ? error.message : String(error);
      container.exitCode = 128;
      throw refused(container.error);
    }
    for (const [attachment, address] of taken) attachment.address = address;
    container.status = "running";
    container.error = "";
    container.exitCode = 0;
    container.startedAt = new Date().toISOString();
    this.#tell("container", "start", container.id, { name: container.name });
  }

  #end(container: FakeContainer, exitCode: number): void {
    container.status = "exited";
    this.inside.changed();
    container.exitCode = exitCode;
    container.finishedAt = new Date().toISOString();
    for (const attachment of container.attachments.values()) {
      if (attachment.address) this.release(attachment.address);
      attachment.address = "";
    }
    this.#tell("container", "die", container.id, { name: container.name, exitCode: `${exitCode}` });
  }

  #network(name: string): FakeNetwork | undefined {
    return [...this.#networks.values()].find((each) => each.name === name || each.id === name);
  }

  #container(name: string): FakeContainer | undefined {
    return [...this.#containers.values()].find((each) => each.name === name || each.id === name);
  }

  #answer(): void {
    if (this.#down) throw new HansaError("DOCKER_UNREACHABLE", "the fake Engine is stopped");
  }

  #newId(): string {
    return (++this.#sequence).toString(16).padStart(64, "0");
  }

  #tell(
    kind: "container" | "network" | "image",
    action: string,
    id: string,
    attributes: Readonly<Record<string, string>>,
  ): void {
    this.#emit({ kind, action, id, attributes, timeMs: Date.now() });
  }

  #emit(event: EngineEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}

function refused(words: string): HansaError {
  return new HansaError("DOCKER_REFUSED", `docker refused: ${words}`);
}

/** As Docker up to 27 makes them. */
function macOf(address: string): string {
  const octets = address.split(".").map((octet) => Number(octet).toString(16).padStart(2, "0"));
  return `02:42:${octets.join(":")}`;
}
