/**
 * A few nodes with the relay's core and a network between them, for tests: UDP each way and TCP of each pair may be cut, daemons die.
 *
 * Tunnels behave as WireGuard's do: a node answers to where the last packet came from, until it is told another way.
 */
import type { NodeId } from "../values/node-id.ts";
import { DIRECT, type Path, RelayPaths, type Say, samePath } from "./relay-paths.ts";

export const TICK_MS = 250;
const LOST_AFTER_MS = 2_400;

interface Node {
  readonly id: NodeId;
  paths: RelayPaths;
  /** Where the tunnel sends for each peer: follows the last packet. */
  readonly endpoints: Map<NodeId, Path>;
  readonly answeredMs: Map<NodeId, number>;
  isUp: boolean;
}

export class SimulatedPairs {
  readonly nodes: readonly Node[];
  /** "1>2": UDP from 1 to 2 is dropped. */
  readonly udpCuts = new Set<string>();
  /** "1-2", lower first: no TCP between them. */
  readonly tcpCuts = new Set<string>();
  /** Every move, as "time node→peer path". */
  readonly moves: { atMs: number; node: NodeId; peer: NodeId; path: Path }[] = [];
  nowMs = 0;

  constructor(count: number) {
    this.nodes = Array.from({ length: count }, (_, index) => ({
      id: index + 1,
      paths: new RelayPaths(index + 1),
      endpoints: new Map(),
      answeredMs: new Map(),
      isUp: true,
    }));
  }

  cutUdp(from: NodeId, to: NodeId): void {
    this.udpCuts.add(`${from}>${to}`);
  }

  cutTcp(a: NodeId, b: NodeId): void {
    this.tcpCuts.add(pairOf(a, b));
  }

  heal(): void {
    this.udpCuts.clear();
    this.tcpCuts.clear();
  }

  /** The daemon of `id` ends, or begins a new life that knows nothing; its tunnel stays. */
  setUp(id: NodeId, isUp: boolean): void {
    const node = this.node(id);
    node.isUp = isUp;
    node.paths = new RelayPaths(id);
    node.answeredMs.clear();
  }

  path(from: NodeId, to: NodeId): Path {
    return this.node(from).paths.path(to);
  }

  isProved(from: NodeId, to: NodeId): boolean {
    const at = this.node(from).answeredMs.get(to) ?? Number.NEGATIVE_INFINITY;
    return this.nowMs - at < LOST_AFTER_MS;
  }

  /** Lets `ms` go by. */
  run(ms: number): void {
    for (const end = this.nowMs + ms; this.nowMs < end; ) {
      this.nowMs += TICK_MS;
      this.#exchangeProbes();
      for (const node of this.nodes.filter(({ isUp }) => isUp)) this.#step(node);
    }
  }

  node(id: NodeId): Node {
    const node = this.nodes[id - 1];
    if (!node) throw new RangeError(`there is no node ${id}`);
    return node;
  }

  #exchangeProbes(): void {
    for (const { id, isUp } of this.nodes) {
      if (!isUp) continue;
      for (const { id: peer, isUp: answers } of this.nodes) {
        if (peer === id || !this.#deliver(id, peer) || !answers) continue;
        if (this.#deliver(peer, id)) this.node(id).answeredMs.set(peer, this.nowMs);
      }
    }
  }

  /** One datagram of the tunnel; the receiver's tunnel follows it. */
  #deliver(from: NodeId, to: NodeId): boolean {
    const path = this.node(from).endpoints.get(to) ?? DIRECT;
    if (path.kind === "direct" && this.udpCuts.has(`${from}>${to}`)) return false;
    if (path.kind === "tcp" && !this.#hasStream(from, to)) return false;
    if (path.kind === "via") {
      if (!this.#hasStream(from, path.id) || !this.#hasStream(path.id, to)) return false;
    }
    this.node(to).endpoints.set(from, path);
    return true;
  }

  #hasStream(a: NodeId, b: NodeId): boolean {
    return this.node(a).isUp && this.node(b).isUp && !this.tcpCuts.has(pairOf(a, b));
  }

  #step(node: Node): void {
    const others = this.nodes.filter(({ id }) => id !== node.id);
    const streams = new Set(
      others.map(({ id }) => id).filter((id) => this.#hasStream(node.id, id)),
    );
    const actions = node.paths.step(
      {
        peers: others.map(({ id }) => ({
          id,
          proved: this.isProved(node.id, id),
          smallOnly: false,
        })),
        streams,
        anyStreams: streams,
        between: (peer) =>
          others
            .map(({ id }) => id)
            .filter((id) => id !== peer && this.#isNear(node.id, id) && this.#isNear(id, peer)),
      },
      this.nowMs,
    );
    this.#carryOut(node, actions);
  }

  #carryOut(node: Node, actions: ReturnType<RelayPaths["step"]>): void {
    for (const action of actions) {
      const { peer } = action;
      if (action.type === "moved") {
        const path = node.paths.path(peer);
        this.moves.push({ atMs: this.nowMs, node: node.id, peer, path });
        node.endpoints.set(peer, path);
      } else if (action.type === "say") this.#say(node.id, peer, action.stream, action.say);
      else if (!this.udpCuts.has(`${node.id}>${peer}`) && !this.udpCuts.has(`${peer}>${node.id}`)) {
        // Only a peer that is relayed too has our probing key.
        if (!samePath(this.path(peer, node.id), DIRECT)) node.paths.answered(peer, this.nowMs);
      }
    }
  }

  #say(from: NodeId, to: NodeId, stream: NodeId, say: Say): void {
    if (!this.#hasStream(from, stream)) return;
    if (stream !== to && !this.#hasStream(stream, to)) return;
    const arrives = stream === to ? from : stream;
    const receiver = this.node(to);
    this.#carryOut(receiver, receiver.paths.heard(from, say, arrives, this.nowMs));
  }

  #isNear(a: NodeId, b: NodeId): boolean {
    const path = this.path(a, b);
    return this.isProved(a, b) && path.kind !== "via";
  }
}

function pairOf(a: NodeId, b: NodeId): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}
