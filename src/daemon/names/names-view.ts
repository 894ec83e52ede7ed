/** Every name of the cluster as this node sees it: of nodes that are heard, and of what runs on them. Pure. */
import { type AddressPlan, nodeAddress } from "../../ipam/address-plan.ts";
import { localName, NODES } from "../../names/domain-name.ts";
import type { NameEntry } from "../../names/name-set.ts";
import type { ZoneName } from "../../names/zone.ts";
import type { NodeId } from "../../values/node-id.ts";
import { isHeard, type Roster, type RosterNode } from "../membership/roster.ts";

export interface NamedAddress extends ZoneName {
  /** 12 hex digits; undefined for a node's own name. */
  readonly container: string | undefined;
  readonly node: { readonly id: NodeId; readonly name: string };
}

/** Sorted by name, then by node. A node is called <name>.node and <id>.node, one with dots in its name by its first part too. */
export function namesOf(
  roster: Roster,
  plan: AddressPlan,
  entriesOf: (owner: string) => readonly NameEntry[],
): NamedAddress[] {
  const nodes = [roster.self, ...roster.peers.filter(isHeard)];
  const all = nodes.flatMap((node) => [
    ...nodeNames(node, plan),
    ...entriesOf(node.member.name).flatMap((entry) => containerNames(node, entry)),
  ]);
  return all.sort((a, b) => (a.name === b.name ? a.node.id - b.node.id : a.name < b.name ? -1 : 1));
}

function nodeNames({ metadata }: RosterNode, plan: AddressPlan): NamedAddress[] {
  const { id, name } = metadata;
  if (id > plan.maxNodeId) return [];
  const labels = new Set([name, name.split(".")[0] ?? name, `${id}`]);
  const names = [...labels].flatMap((label) => localName(`${label}.${NODES}`) ?? []);
  return names.map((each, index) => ({
    name: each,
    address: nodeAddress(plan, id),
    isMain: index === 0,
    container: undefined,
    node: { id, name },
  }));
}

function containerNames({ metadata }: RosterNode, entry: NameEntry): NamedAddress[] {
  const { id, name } = metadata;
  return entry.names.map((each, index) => ({
    name: each,
    address: entry.address,
    isMain: index === 0,
    container: entry.container,
    node: { id, name },
  }));
}
