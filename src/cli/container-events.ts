/** What happened to containers between two looks at all of them, and what happened last to each. Pure. */
import type { ContainerRow, Containers } from "../api/container-schema.ts";

export interface ContainerHappening {
  /** By the clock of the container's node; null for what has no time. */
  readonly at: string | null;
  /** "host2/web", or a node alone. */
  readonly subject: string;
  /** "running", "exited"…, "removed", "unreachable", "reachable". */
  readonly what: string;
  readonly exitCode: number | null;
  readonly image: string | null;
}

function keyOf({ node, id, dockerName }: ContainerRow): string {
  return `${node.id} ${id ?? dockerName}`;
}

function happening(row: ContainerRow, what: string = row.state): ContainerHappening {
  return {
    at: what === "removed" ? null : row.stateSince,
    subject: `${row.node.name}/${row.dockerName}`,
    what,
    exitCode: what === "removed" ? null : row.exitCode,
    image: row.image,
  };
}

/** In order of time; what has none comes last. Of a node that nothing was known of before, only what happened at `sinceMs` or later. */
export function happeningsBetween(
  before: Containers,
  after: Containers,
  sinceMs: number,
): ContainerHappening[] {
  const old = new Map(before.containers.map((row) => [keyOf(row), row]));
  const kept = new Set(after.containers.map(keyOf));
  const known = new Map(before.nodes.map((node) => [node.id, node]));
  const here = new Set(after.nodes.map(({ id }) => id));
  const changed = after.containers.filter((row) => {
    const former = old.get(keyOf(row));
    if (known.get(row.node.id)?.asOf == null && !isSince(row, sinceMs)) return false;
    return former?.state !== row.state || former.stateSince !== row.stateSince;
  });
  const gone = before.containers.filter((row) => !kept.has(keyOf(row)) && here.has(row.node.id));
  const nodes = after.nodes.filter(({ id, reachable }) => {
    const former = known.get(id);
    return former !== undefined && former.reachable !== reachable;
  });
  return [
    ...inOrder(changed.map((row) => happening(row))),
    ...gone.map((row) => happening(row, "removed")),
    ...nodes.map(({ name, reachable }) => ({
      ...{ at: null, subject: name, exitCode: null, image: null },
      what: reachable ? "reachable" : "unreachable",
    })),
  ];
}

/** The last thing that happened to each container, if that was at `sinceMs` or later. */
export function happeningsSince({ containers }: Containers, sinceMs: number): ContainerHappening[] {
  const late = containers.filter((row) => isSince(row, sinceMs));
  return inOrder(late.map((row) => happening(row)));
}

function isSince({ stateSince }: ContainerRow, sinceMs: number): boolean {
  return stateSince !== null && Date.parse(stateSince) >= sinceMs;
}

function inOrder(all: readonly ContainerHappening[]): ContainerHappening[] {
  return all.toSorted((a, b) => ((a.at ?? "") < (b.at ?? "") ? -1 : 1));
}
