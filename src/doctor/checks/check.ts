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
