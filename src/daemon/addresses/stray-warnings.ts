/** Which containers hold an address that another node owns or holds as well: a sentence for each address. Pure. */
import type { AddressesView } from "../../ipam/addresses.ts";
import type { HeldStray } from "../../ipam/strays.ts";
import { parseMemberName } from "../../membership/member-name.ts";
import { contains } from "../../values/cidr.ts";
import { formatIpv4, type Ipv4 } from "../../values/ipv4.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { RememberedNode } from "../membership/membership-file.ts";
import type { Roster } from "../membership/roster.ts";

export interface StrayFacts {
  /** Ours and those of others. */
  readonly strays: readonly HeldStray[];
  readonly roster: Roster;
  readonly remembered: readonly RememberedNode[];
  /** Who owns which address. */
  readonly segments: AddressesView["segments"];
}

/** So many addresses are named one by one. */
const MAX_SENTENCES = 8;

/** Sentences with their code before them, ascending by address. */
export function straySentences(facts: StrayFacts): string[] {
  const byAddress = Map.groupBy(facts.strays, ({ address }) => address);
  const all = [...byAddress].sort(([a], [b]) => a - b);
  const sentences = all.slice(0, MAX_SENTENCES).map(([address, holders]) => {
    const text = formatIpv4(address);
    const containers = holders.map(
      ({ container, holder }) => `container ${container} on ${holderName(facts, holder)}`,
    );
    if (containers.length > 1) return `${text} is held twice: by ${containers.join(" and by ")}`;
    return `${containers[0]} holds ${text}, which belongs to ${ownerName(facts, address)}`;
  });
  const rest = all.length - sentences.length;
  if (rest > 0) sentences.push(`${rest} more addresses are held without right`);
  return sentences.map((sentence) => `IPAM_ADDRESS_TWICE: ${sentence}`);
}

function holderName({ roster, remembered }: StrayFacts, holder: string): string {
  const nodes = [roster.self, ...roster.peers, ...roster.twins];
  const known = nodes.find(({ member }) => member.name === holder);
  if (known) return known.metadata.name;
  const key = parseMemberName(holder)?.keyFingerprint;
  return remembered.find((node) => node.keyFingerprint === key)?.name ?? `node ${holder}`;
}

function ownerName({ roster, remembered, segments }: StrayFacts, address: Ipv4): string {
  const all = [...segments.fixed, ...segments.dynamic];
  const id: NodeId | undefined = all.find((segment) => contains(segment, address))?.owner;
  if (id === undefined) return "no node";
  const known = [roster.usurper, roster.self, ...roster.peers].find(
    (node) => node?.metadata.id === id,
  );
  const name = known?.metadata.name ?? remembered.find((node) => node.id === id)?.name;
  return name === undefined ? `node ${id}` : `node ${id} (${name})`;
}
