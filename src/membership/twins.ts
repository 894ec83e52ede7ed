/**
 * Twins: members that hold one id with different keys, by mistake or from a cloned disk.
 *
 * Everywhere the same one wins: the lower (binding counter, key fingerprint). The loser stops giving addresses. Pure functions of the members'
 * metadata, so all nodes that see the same members agree without a word.
 */
import type { NodeId } from "../values/node-id.ts";

/** What decides between twins; NodeMetadata has it. */
export interface IdHolder {
  readonly id: NodeId;
  readonly binding: number;
  readonly keyFingerprint: string;
}

export interface TwinGroup<T extends IdHolder> {
  readonly id: NodeId;
  readonly winner: T;
  /** In the order in which they would win. */
  readonly losers: readonly T[];
}

/** Negative when `a` wins over `b`; 0 only for the same holder. */
export function compareHolders(a: IdHolder, b: IdHolder): number {
  if (a.binding !== b.binding) return a.binding - b.binding;
  if (a.keyFingerprint === b.keyFingerprint) return 0;
  return a.keyFingerprint < b.keyFingerprint ? -1 : 1;
}

/** The ids that more than one of `holders` has, in ascending order. The same key twice is one holder. */
export function findTwins<T extends IdHolder>(holders: Iterable<T>): TwinGroup<T>[] {
  const byId = new Map<NodeId, Map<string, T>>();
  for (const holder of holders) {
    const ofId = byId.get(holder.id) ?? new Map<string, T>();
    const same = ofId.get(holder.keyFingerprint);
    if (same === undefined || compareHolders(holder, same) < 0) {
      ofId.set(holder.keyFingerprint, holder);
    }
    byId.set(holder.id, ofId);
  }
  const groups: TwinGroup<T>[] = [];
  for (const [id, ofId] of byId) {
    const [winner, ...losers] = [...ofId.values()].sort(compareHolders);
    if (winner !== undefined && losers.length > 0) groups.push({ id, winner, losers });
  }
  return groups.sort((a, b) => a.id - b.id);
}

/** The twin to which `self` loses its id, or undefined when the id is ours. */
export function loses<T extends IdHolder>(self: T, others: Iterable<T>): T | undefined {
  let best: T | undefined;
  for (const other of others) {
    if (other.id !== self.id || other.keyFingerprint === self.keyFingerprint) continue;
    if (compareHolders(other, self) < 0 && (!best || compareHolders(other, best) < 0)) best = other;
  }
  return best;
}

/**
 * The binding counter that a newcomer takes once it sees who holds its id, before it is settled: one above every incumbent's, so that who was
 * first stays. Its own counter when nobody else holds the id or it is higher already.
 */
export function bindingAfter<T extends IdHolder>(self: T, others: Iterable<T>): number {
  let binding = self.binding;
  for (const other of others) {
    if (other.id !== self.id || other.keyFingerprint === self.keyFingerprint) continue;
    binding = Math.max(binding, Math.min(other.binding + 1, 0xffffffff));
  }
  return binding;
}
