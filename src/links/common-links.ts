/** The links that two nodes have in common, and which of them is preferred. Pure: both ends come to one answer. */
import type { NodeLink } from "../values/node-link.ts";

/** A link that both nodes have. */
export interface CommonLink extends Pick<NodeLink, "number" | "priority"> {
  readonly own: string;
  readonly theirs: string;
}

/** The links with a number that both have; the higher of both priorities counts, so that both ends prefer the same. */
export function commonLinks(own: readonly NodeLink[], theirs: readonly NodeLink[]): CommonLink[] {
  return own.flatMap(({ number, address, priority }) => {
    const other = theirs.find((link) => link.number === number);
    if (!other) return [];
    const higher = Math.max(priority, other.priority);
    return [{ number, own: address, theirs: other.address, priority: higher }];
  });
}

/** The highest priority, then the lowest number. */
export function bestOf(links: readonly CommonLink[]): CommonLink | undefined {
  return links.toSorted((a, b) => b.priority - a.priority || a.number - b.number)[0];
}
