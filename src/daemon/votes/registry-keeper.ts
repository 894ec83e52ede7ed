/**
 * Keeps the registry of nodes in the store as gossip knows them. Used by the daemon beside the etcd that leads, which alone writes it.
 *
 * Invariant: what was read of the registry is kept only while the same etcd leads in the same term, and read anew whenever a commit found something else.
 */
import type { Logger } from "../../host/logger.ts";
import {
  CONFIG_VERSION_KEY,
  NODES_PREFIX,
  nextRegistryStep,
  type Registered,
  registeredNodes,
  registryCommit,
  type SeenNode,
} from "../../store/node-registry.ts";
import type { Store } from "../../store/store.ts";
import type { NodeId } from "../../values/node-id.ts";

export class RegistryKeeper {
  readonly #logger: Logger;
  #known: { readonly at: string; readonly nodes: ReadonlyMap<NodeId, Registered> } | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Carries one change out; true when there was one. `reign` names the store and the term in which this node's etcd leads. Throws as a store does. */
  async keep(
    store: Store,
    reign: string,
    seen: readonly SeenNode[],
    departed: ReadonlySet<string>,
  ): Promise<boolean> {
    if (this.#known?.at !== reign) {
      const { entries } = await store.list(NODES_PREFIX);
      this.#known = { at: reign, nodes: registeredNodes(entries) };
    }
    const step = nextRegistryStep(this.#known.nodes, seen, departed);
    if (step === undefined) return false;
    // Read anew after this, whether it goes through or not.
    this.#known = undefined;
    const { entry } = await store.get(CONFIG_VERSION_KEY);
    const { ok } = await store.commit(registryCommit(step, entry));
    const { id, name } = step.node;
    if (ok) this.#logger.info("the registry of nodes changed", { step: step.step, id, name });
    return true;
  }
}
