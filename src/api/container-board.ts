/**
 * Containers by node, put together from events: what a node keeps of the others, and what a client shows. Pure.
 *
 * Invariant: after the same events two boards list the same, in the same order.
 */
import type {
  ContainerEvent,
  ContainerNode,
  ContainerRow,
  Containers,
} from "./container-schema.ts";

/** Of one node; what comes beyond is not kept. */
const MAX_OF_A_NODE = 4_096;

interface Shelf {
  node: ContainerNode;
  /** By id; rows without a container by their Docker name. */
  readonly rows: Map<string, ContainerRow>;
}

export class ContainerBoard {
  readonly #shelves = new Map<number, Shelf>();
  #list: Containers | undefined;

  /** Takes an event in; one of a node that was never told of is ignored. */
  take(event: ContainerEvent): void {
    this.#list = undefined;
    if (event.type === "all") {
      this.#shelves.clear();
      for (const node of event.nodes) this.#shelves.set(node.id, { node, rows: new Map() });
      for (const row of event.containers) this.#put(row);
    } else if (event.type === "container") {
      this.#put(event.container);
    } else if (event.type === "gone") {
      this.#shelves.get(event.node)?.rows.delete(event.id);
    } else if (event.type === "node") {
      const shelf = this.#shelves.get(event.node.id);
      if (shelf) shelf.node = event.node;
      else this.#shelves.set(event.node.id, { node: event.node, rows: new Map() });
    } else {
      this.#shelves.delete(event.node);
    }
  }

  node(id: number): ContainerNode | undefined {
    return this.#shelves.get(id)?.node;
  }

  row(node: number, key: string): ContainerRow | undefined {
    return this.#shelves.get(node)?.rows.get(key);
  }

  rowsOf(id: number): ContainerRow[] {
    return [...(this.#shelves.get(id)?.rows.values() ?? [])];
  }

  /** All of it, in order; the same object until something is taken in. */
  list(): Containers {
    this.#list ??= {
      nodes: [...this.#shelves.values()].map(({ node }) => node).sort((a, b) => a.id - b.id),
      containers: [...this.#shelves.values()]
        .flatMap(({ rows }) => [...rows.values()])
        .sort(before),
    };
    return this.#list;
  }

  #put(row: ContainerRow): void {
    const rows = this.#shelves.get(row.node.id)?.rows;
    const key = row.id ?? row.dockerName;
    if (rows && (rows.has(key) || rows.size < MAX_OF_A_NODE)) rows.set(key, row);
  }
}

/** By node, then group with those outside of one last, then names. */
function before(a: ContainerRow, b: ContainerRow): number {
  return (
    a.node.id - b.node.id ||
    Number(a.group === null) - Number(b.group === null) ||
    compare(a.group ?? "", b.group ?? "") ||
    compare(a.name, b.name) ||
    compare(a.dockerName, b.dockerName) ||
    compare(a.id ?? "", b.id ?? "")
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
