/** What a check is: pure, from facts to findings. */
import type { Facts, HostFacts, NodeFacts } from "../facts.ts";
import type { Finding } from "../finding.ts";

export interface Check {
  /** In a few words, as people read it among those that were done. */
  readonly name: string;
  /** "skipped" with the reason when there was nothing to look at. */
  run(facts: Facts): readonly Finding[] | { readonly skipped: string };
}

/** A check of the host alone. */
export function hostCheck(
  name: string,
  run: (host: HostFacts) => readonly Finding[] | { readonly skipped: string },
): Check {
  return { name, run: ({ host }) => run(host) };
}

/** A check of a node with its peers: of one that is gone for good nothing is said but that. */
export function peersCheck(
  name: string,
  run: (node: NodeFacts) => readonly Finding[] | { readonly skipped: string },
): Check {
  return nodeCheck(name, (node) =>
    node.isDeparted
      ? { skipped: "this node is gone for good, and no other talks to it" }
      : run(node),
  );
}

/** A check that needs a running node. */
export function nodeCheck(
  name: string,
  run: (node: NodeFacts, host: HostFacts) => readonly Finding[] | { readonly skipped: string },
): Check {
  return {
    name,
    run: ({ node, host }) =>
      node === undefined ? { skipped: "no node runs here" } : run(node, host),
  };
}
