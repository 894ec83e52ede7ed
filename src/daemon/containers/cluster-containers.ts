/**
 * The containers of all nodes, as this one knows them: its own from Docker's events, the others' from their streams of the same.
 *
 * Invariants: answers come from memory; streams stand only while somebody wants to know, and REST_MS after that; what was last known of a node that
 * cannot be asked is kept with its age, until the node is gone for good.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ContainerBoard } from "../../api/container-board.ts";
import type {
  ContainerEvent,
  ContainerNode,
  ContainerRow,
  Containers,
} from "../../api/container-schema.ts";
import { isContainerEvent } from "../../client/container-check.ts";
import { HansaError } from "../../errors.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { OtherNode, PeerRequests } from "../doors/peer-requests.ts";
import { ContainerFeed } from "./container-feed.ts";
import { containerRow } from "./container-row.ts";
import type { ContainerChange, ContainerWatch } from "./container-watch.ts";

/** What each node tells of its own containers. */
export const OWN_CONTAINERS = "/v1/containers/local/watch";
/** For nodes that were not followed yet to tell of theirs. */
const ANSWER_MS = 2_500;
/** After the last one who wanted to know; who asks again until then is answered at once. */
const REST_MS = 300_000;
const RETRY_MS = 1_000;

export interface ClusterContainersOptions {
  readonly self: { readonly id: NodeId; readonly name: string };
  readonly watch: () => Pick<ContainerWatch, "containers">;
  readonly peers: Pick<PeerRequests, "nodes" | "events">;
  readonly wallMs?: () => number;
}

interface Follower {
  readonly node: OtherNode;
  readonly stop: AbortController;
  /** Once it told all of its containers, or why it cannot. */
  readonly answered: PromiseWithResolvers<void>;
  /** When it last told anything, on the wall clock. */
  heardMs: number | undefined;
}

export class ClusterContainers {
  readonly #options: ClusterContainersOptions;
  readonly #wallMs: () => number;
  readonly #board = new ContainerBoard();
  readonly #feed = new ContainerFeed(() => this.#list());
  readonly #ownFeed = new ContainerFeed(() => this.#ownList());
  readonly #followers = new Map<NodeId, Follower>();
  /** Who waits for this node's own containers to be known. No promise: one that Docker's absence leaves open would gather all who ever waited. */
  readonly #waiting = new Set<() => void>();
  #isListed = false;
  #restTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: ClusterContainersOptions) {
    this.#options = options;
    this.#wallMs = options.wallMs ?? Date.now;
    const problem = { code: "DOCKER_UNREACHABLE", message: "Docker did not answer yet" };
    this.#board.take({ type: "node", node: { ...options.self, ...NOTHING_KNOWN, problem } });
  }

  /** Containers of this node changed. */
  seen(change: ContainerChange): void {
    const { self, watch } = this.#options;
    if (change.type === "changed") {
      this.#put(containerRow(self, change.container));
    } else if (change.type === "gone") {
      this.#tell({ type: "gone", node: self.id, id: change.id });
    } else if (change.type === "lost") {
      const problem = { code: "DOCKER_UNREACHABLE", message: "the Docker Engine does not answer" };
      const known = this.#board.node(self.id)?.asOf === null ? null : this.#now();
      this.#setNode({ ...self, reachable: true, asOf: known, problem });
    } else {
      this.#setNode({ ...self, reachable: true, asOf: this.#now(), problem: null });
      const rows = [...watch().containers.values()].map((each) => containerRow(self, each));
      this.#replace(self.id, rows);
      this.#isListed = true;
      for (const wake of this.#waiting) wake();
    }
  }

  /** Nodes came, went or are heard again. Cheap while nobody wants to know and nothing is known. */
  changed(): void {
    const nodes = new Map(this.#options.peers.nodes().map((node) => [node.id, node]));
    for (const { id } of this.#board.list().nodes) {
      if (id === this.#options.self.id || nodes.has(id)) continue;
      this.#stop(id);
      this.#tell({ type: "node-gone", node: id });
    }
    if (this.#restTimer === undefined) return;
    for (const node of nodes.values()) this.#follow(node);
  }

  /** Waits 2.5 s at most for nodes that were not followed. */
  async containers(): Promise<Containers> {
    this.#want();
    const late = new AbortController();
    let wake = (): void => undefined;
    const listed = new Promise<void>((resolve) => {
      wake = resolve;
    });
    if (this.#isListed) wake();
    else this.#waiting.add(wake);
    const all = [listed, ...this.#heard().map(({ answered }) => answered.promise)];
    await Promise.race([
      Promise.all(all),
      sleep(ANSWER_MS, undefined, { signal: late.signal }).catch(() => undefined),
    ]);
    late.abort();
    this.#waiting.delete(wake);
    return this.#list();
  }

  /** Events of all nodes, until `signal` aborts. Throws API_WATCHERS_MANY at once. */
  watch(signal: AbortSignal, who: string): AsyncIterable<ContainerEvent> {
    const events = this.#feed.watch(signal, who);
    this.#want();
    return events;
  }

  /** Of this node only. */
  watchOwn(signal: AbortSignal, who: string): AsyncIterable<ContainerEvent> {
    return this.#ownFeed.watch(signal, who);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#restTimer);
    for (const id of [...this.#followers.keys()]) this.#stop(id);
  }

  #want(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#restTimer);
    this.#restTimer = setTimeout(() => this.#rest(), REST_MS);
    this.#restTimer.unref();
    for (const node of this.#options.peers.nodes()) this.#follow(node);
  }

  #rest(): void {
    if (this.#feed.watchers > 0) {
      this.#want();
      return;
    }
    this.#restTimer = undefined;
    for (const id of [...this.#followers.keys()]) {
      const asOf = this.#heardAt(id);
      this.#stop(id);
      const node = this.#board.node(id);
      // From now on nobody knows.
      if (node?.reachable) this.#setNode({ ...node, reachable: false, asOf });
    }
  }

  #heard(): Follower[] {
    return [...this.#followers.values()].filter(({ node }) => node.isHeard);
  }

  /** Follows the node from now on, anew when it came to be heard. */
  #follow(node: OtherNode): void {
    const known = this.#followers.get(node.id);
    if (known && known.node.isHeard === node.isHeard && known.node.name === node.name) return;
    if (known) this.#stop(node.id);
    const follower: Follower = {
      ...{ node, stop: new AbortController(), answered: Promise.withResolvers<void>() },
      heardMs: known?.heardMs,
    };
    this.#followers.set(node.id, follower);
    if (!this.#board.node(node.id)) {
      this.#setNode({ id: node.id, name: node.name, ...NOTHING_KNOWN, problem: null });
    }
    void this.#run(follower);
  }

  #stop(id: NodeId): void {
    const follower = this.#followers.get(id);
    this.#followers.delete(id);
    follower?.stop.abort();
    follower?.answered.resolve();
  }

  async #run(follower: Follower): Promise<void> {
    const { node, stop, answered } = follower;
    const { signal } = stop;
    const heard = (): void => {
      follower.heardMs = this.#wallMs();
    };
    while (!signal.aborted) {
      try {
        const events = this.#options.peers.events(node, OWN_CONTAINERS, signal, heard);
        for await (const event of events) {
          if (!isContainerEvent(event)) throw malformed(node);
          this.#takeFrom(node, event);
          answered.resolve();
        }
      } catch (error) {
        if (!(error instanceof HansaError)) throw error;
        if (!signal.aborted) this.#lost(node, error);
      }
      answered.resolve();
      // Who is not heard is followed anew when it is (`changed`).
      if (!node.isHeard) return;
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #lost({ id, name }: OtherNode, { code, message }: HansaError): void {
    const asOf = this.#heardAt(id) ?? this.#board.node(id)?.asOf ?? null;
    this.#setNode({ id, name, reachable: false, asOf, problem: { code, message } });
  }

  #heardAt(id: NodeId): string | null {
    const heardMs = this.#followers.get(id)?.heardMs;
    return heardMs === undefined ? null : new Date(heardMs).toISOString();
  }

  /** Nobody tells of another node than itself. */
  #takeFrom({ id, name }: OtherNode, event: ContainerEvent): void {
    const own = (row: ContainerRow): ContainerRow => ({ ...row, node: { id, name } });
    if (event.type === "all") {
      const node = event.nodes.find((each) => each.id === id);
      if (node) this.#setNode({ ...node, name });
      this.#replace(id, event.containers.map(own));
    } else if (event.type === "container") {
      this.#put(own(event.container));
    } else if (event.type === "gone") {
      this.#tell({ ...event, node: id });
    } else if (event.type === "node") {
      this.#setNode({ ...event.node, id, name });
    }
  }

  /** These are all rows of the node. */
  #replace(id: NodeId, rows: readonly ContainerRow[]): void {
    const kept = new Set(rows.map(keyOf));
    for (const row of this.#board.rowsOf(id)) {
      if (!kept.has(keyOf(row))) this.#tell({ type: "gone", node: id, id: keyOf(row) });
    }
    for (const row of rows) this.#put(row);
  }

  #put(row: ContainerRow): void {
    const known = this.#board.row(row.node.id, keyOf(row));
    if (known && JSON.stringify(known) === JSON.stringify(row)) return;
    this.#tell({ type: "container", container: row });
  }

  /** That it was known a little later than before is no news. */
  #setNode(node: ContainerNode): void {
    const known = this.#board.node(node.id);
    const isNews =
      known?.name !== node.name ||
      known.reachable !== node.reachable ||
      known.problem?.message !== node.problem?.message ||
      (known.asOf === null) !== (node.asOf === null);
    if (isNews) this.#tell({ type: "node", node });
  }

  #tell(event: ContainerEvent): void {
    this.#board.take(event);
    this.#feed.tell(event);
    if (nodeOf(event) === this.#options.self.id) this.#ownFeed.tell(event);
  }

  #list(): Containers {
    const { nodes, containers } = this.#board.list();
    return { nodes: nodes.map((node) => this.#upToNow(node)), containers };
  }

  #ownList(): Containers {
    const { id } = this.#options.self;
    const node = this.#board.node(id);
    const nodes = node ? [this.#upToNow(node)] : [];
    return { nodes, containers: this.#board.rowsOf(id) };
  }

  /** What is followed is known until now. */
  #upToNow(node: ContainerNode): ContainerNode {
    const isFollowed = node.reachable && node.problem === null && node.asOf !== null;
    return isFollowed ? { ...node, asOf: this.#now() } : node;
  }

  #now(): string {
    return new Date(this.#wallMs()).toISOString();
  }
}

const NOTHING_KNOWN = { reachable: false, asOf: null } as const;

function keyOf({ id, dockerName }: ContainerRow): string {
  return id ?? dockerName;
}

function nodeOf(event: ContainerEvent): number | undefined {
  if (event.type === "container") return event.container.node.id;
  if (event.type === "node") return event.node.id;
  return event.type === "all" ? undefined : event.node;
}

function malformed({ id, name }: OtherNode): HansaError {
  const text = `what node ${id} (${name}) tells of its containers is malformed`;
  return new HansaError("API_ANSWER_INVALID", text);
}
