/**
 * Which id and name a host gets that asks to join. Pure.
 *
 * Invariants: a key that is known keeps its id and name; an id that anybody known has, had and may come back with, or was promised is not given
 * again; names differ, whatever their case, because they are served as DNS names.
 */
import type { ErrorCode } from "../../errors.ts";
import type { NodeId } from "../../values/node-id.ts";

/** A node that is there, was met, or was promised its place. */
export interface Placed {
  readonly id: NodeId;
  readonly name: string;
  /** 8 hex digits. */
  readonly fingerprint: string;
  /** For a place that is only promised: how long that holds. */
  readonly forSeconds?: number;
}

export interface Wish {
  readonly name: string;
  readonly fingerprint: string;
  /** The id that it is to be; else the lowest free one. */
  readonly id?: NodeId | undefined;
}

export interface Cluster {
  readonly placed: readonly Placed[];
  /** Ids that own addresses, whoever has them. */
  readonly owners: readonly NodeId[];
  /** Fingerprints of who is gone for good. */
  readonly departed: ReadonlySet<string>;
  /** The highest id for which the subnet has an address. */
  readonly maxId: NodeId;
}

export type Place =
  | { readonly ok: true; readonly id: NodeId; readonly name: string }
  | { readonly ok: false; readonly code: ErrorCode; readonly text: string };

export function placeOf(wish: Wish, { placed, owners, departed, maxId }: Cluster): Place {
  if (departed.has(wish.fingerprint)) {
    const text =
      "this host's key left the cluster for good: run hansa reset on it, then start it anew";
    return { ok: false, code: "NODE_DEPARTED", text };
  }
  const before = placed.find(({ fingerprint }) => fingerprint === wish.fingerprint);
  if (before) return { ok: true, id: before.id, name: before.name };
  const holder = placed.find(({ name }) => name.toLowerCase() === wish.name.toLowerCase());
  if (holder) {
    const { id, name, forSeconds } = holder;
    const text =
      forSeconds === undefined
        ? `node ${id} of the cluster has the name ${name} already`
        : `the name ${name} was promised to another host just now, and is free again in ${forSeconds} s if that does not come`;
    return { ok: false, code: "NODE_NAME_TAKEN", text };
  }
  const taken = new Set([...placed.map(({ id }) => id), ...owners]);
  if (wish.id !== undefined && taken.has(wish.id)) {
    return { ok: false, code: "NODE_ID_TAKEN", text: `the id ${wish.id} is taken in the cluster` };
  }
  let id = wish.id ?? 1;
  while (taken.has(id)) id += 1;
  if (id <= maxId) return { ok: true, id, name: wish.name };
  if (wish.id !== undefined) {
    const outside = `the subnet has node addresses for ids up to ${maxId}, not for ${wish.id}`;
    return { ok: false, code: "IPAM_ID_OUTSIDE_SUBNET", text: outside };
  }
  const text = `the cluster has no id left: its subnet has node addresses for ${maxId}`;
  return { ok: false, code: "IPAM_ID_OUTSIDE_SUBNET", text };
}
