/** Two stores of one cluster, made before their nodes met: which one stays. Pure. */
import type { NodeId } from "../values/node-id.ts";

/** A store as one of its voters tells of it. */
export interface Rival {
  readonly node: NodeId;
  /** It had a second vote once. */
  readonly hasGrown: boolean;
  /** A majority of its votes answers. */
  readonly isQuorate: boolean;
}

/**
 * Whether `own` gives way to `other`: one that never had a second vote does so to one that had; of two that never had, that of the higher node id, as with twins.
 * Never to one that could not be written, and never one that has grown: of two such ones a person must say which is to go.
 */
export function givesWay(own: Omit<Rival, "isQuorate">, other: Rival): boolean {
  if (own.hasGrown || !other.isQuorate) return false;
  return other.hasGrown || other.node < own.node;
}
