/** What status shows of the rings, and what the overlay makes routes from. Plain data, made anew for each look. */
import { formatCidr, type Range, rangeToCidrs } from "../values/cidr.ts";
import type { NodeId } from "../values/node-id.ts";
import { endOf, type Segment, segments } from "./ring.ts";
import type { Rings } from "./rings.ts";

export interface OwnerView {
  readonly id: NodeId;
  /** Of the dynamic ring. */
  readonly addresses: number;
  /** Of the dynamic ring, 0 to 100, not rounded. */
  readonly percent: number;
  /** Of the fixed ring. */
  readonly fixedAddresses: number;
  /** The owner's hint; our own count for ourselves. */
  readonly free: number;
  /** False while all that the owner has is from its birth and it was never heard to use it. */
  readonly born: boolean;
  /** Leases, fixed ones too; known for ourselves only. */
  readonly active?: number;
}

export interface AddressesView {
  /** Whether this node may give addresses. */
  readonly ready: boolean;
  readonly fenced: boolean;
  /** "10.32.0.0/12". */
  readonly subnet: string;
  /** The dynamic part: "10.40.0.0/13". */
  readonly range: string;
  /** Free dynamic addresses of this node, as far as known. */
  readonly free: number;
  /** The node that we are asking for space now. */
  readonly asking: NodeId | undefined;
  /** Conflicts seen since the start. */
  readonly conflicts: number;
  /** Owners of either ring: ourselves first, then ascending. */
  readonly entries: readonly OwnerView[];
  /** Who holds what; a gap is a record that is not known yet, and nobody's. */
  readonly segments: { readonly dynamic: readonly Segment[]; readonly fixed: readonly Segment[] };
}

export interface ViewContext {
  readonly self: NodeId;
  readonly subnet: string;
  readonly dynamic: Range;
  readonly ready: boolean;
  readonly fenced: boolean;
  readonly free: number;
  readonly active: number;
  readonly asking: NodeId | undefined;
  readonly conflicts: number;
}

/** The view of one moment; O(records). */
export function viewOf(rings: Rings, context: ViewContext): AddressesView {
  const { self, subnet, dynamic, ready, fenced, free, asking, conflicts } = context;
  const owners = new Map<
    NodeId,
    { addresses: number; fixed: number; free: number; born: boolean }
  >();
  const ownerOf = (id: NodeId) => {
    const owner = owners.get(id) ?? { addresses: 0, fixed: 0, free: 0, born: false };
    owners.set(id, owner);
    return owner;
  };
  for (const [index, record] of rings.ring("dynamic").records.entries()) {
    const owner = ownerOf(record.owner);
    owner.addresses += endOf(rings.ring("dynamic"), index) - record.start;
    owner.free += record.free;
    owner.born ||= record.version > 0;
  }
  for (const [index, record] of rings.ring("fixed").records.entries()) {
    const owner = ownerOf(record.owner);
    owner.fixed += endOf(rings.ring("fixed"), index) - record.start;
    owner.born ||= record.version > 0;
  }
  ownerOf(self);
  const size = dynamic.end - dynamic.start;
  const entries = [...owners].map(([id, owner]): OwnerView => {
    const entry = {
      id,
      addresses: owner.addresses,
      percent: (100 * owner.addresses) / size,
      fixedAddresses: owner.fixed,
      free: id === self ? free : owner.free,
      born: owner.born,
    };
    return id === self ? { ...entry, active: context.active } : entry;
  });
  entries.sort((a, b) => Number(b.id === self) - Number(a.id === self) || a.id - b.id);
  return {
    ready,
    fenced,
    subnet,
    range: rangeToCidrs(dynamic).map(formatCidr).join(" "),
    free,
    asking,
    conflicts,
    entries,
    segments: {
      dynamic: segments(rings.ring("dynamic")),
      fixed: segments(rings.ring("fixed")),
    },
  };
}
