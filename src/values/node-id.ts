/** Numeric node ids: 1 to 65535, explicit at launch, unique in a cluster. Ids 1 to 4 are seed nodes. */

export type NodeId = number;

export const MAX_NODE_ID = 65535;

/** Ids that own address space from birth and by default have a vote. */
export const SEED_IDS: readonly NodeId[] = [1, 2, 3, 4];

/** The id that `text` spells in decimal without sign or leading zeros, or undefined. */
export function parseNodeId(text: string): NodeId | undefined {
  if (!/^[1-9]\d{0,4}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= MAX_NODE_ID ? id : undefined;
}
