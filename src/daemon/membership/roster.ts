/**
 * The members that gossip knows, as nodes: metadata read, twins decided, foreigners and the departed told apart. Pure.
 */
import type { Departure } from "../../membership/departures.ts";
import type { MemberView } from "../../membership/machine.ts";
import { decodeMetadata, type NodeMetadata } from "../../membership/metadata.ts";
import { findTwins, loses } from "../../membership/twins.ts";
import type { NodeId } from "../../values/node-id.ts";

export interface RosterNode {
  readonly member: MemberView;
  readonly metadata: NodeMetadata;
}

export interface Roster {
  readonly self: RosterNode;
  /** One node for each id but ours, ascending: of twins the one that won. Nobody who is gone for good. */
  readonly peers: readonly RosterNode[];
  /** Twins that lost their id, ours among them when that is we. */
  readonly twins: readonly RosterNode[];
  /** The twin that has our id; undefined while the id is ours. */
  readonly usurper: RosterNode | undefined;
  /** Nodes that left or were taken over and are heard all the same: given nothing. */
  readonly departed: readonly RosterNode[];
  /** That we are such a node ourselves. */
  readonly expelled: Departure | undefined;
  /** Plain members of the protocol, and nodes launched otherwise than we: listed, given nothing. */
  readonly foreign: readonly MemberView[];
}

export interface DepartureLookup {
  /** By the member's name. */
  get(name: string): Departure | undefined;
}

/** Reading metadata costs, and members rarely change: kept as long as the bytes are. */
const decoded = new WeakMap<Uint8Array, NodeMetadata | false>();

function metadataOf(member: MemberView): NodeMetadata | undefined {
  let metadata = decoded.get(member.meta);
  if (metadata === undefined) {
    metadata = decodeMetadata(member.meta) ?? false;
    decoded.set(member.meta, metadata);
  }
  return metadata === false || !member.name.startsWith(`${metadata.id}-`) ? undefined : metadata;
}

/** True while the member has neither left nor was it declared dead. */
export function isHeard({ member }: RosterNode): boolean {
  return isLive(member);
}

/** The same of a member whose metadata nobody read. */
export function isLive({ state }: MemberView): boolean {
  return state === "alive" || state === "suspect";
}

/** What belongs to the whole cluster and was fixed at each node's launch. */
function sameCluster(a: RosterNode, b: RosterNode): boolean {
  const [x, y] = [a.metadata, b.metadata];
  const sameSubnet = x.subnet.base === y.subnet.base && x.subnet.prefix === y.subnet.prefix;
  return sameSubnet && x.encryption === y.encryption;
}

/** `ownName` must be among the members. Who is gone for good is nobody's twin. */
export function rosterOf(
  members: readonly MemberView[],
  ownName: string,
  departures: DepartureLookup = new Map(),
): Roster {
  const nodes: RosterNode[] = [];
  const departed: RosterNode[] = [];
  const foreign: MemberView[] = [];
  for (const member of members) {
    const isSelf = member.name === ownName;
    if (member.state === "left" && !isSelf) continue;
    const metadata = metadataOf(member);
    if (!metadata) foreign.push(member);
    else if (isSelf || !departures.get(member.name)) nodes.push({ member, metadata });
    else if (isHeard({ member, metadata })) departed.push({ member, metadata });
  }
  const self = nodes.find(({ member }) => member.name === ownName);
  if (!self) throw new RangeError(`${ownName} is not among the members`);
  // A node of another subnet has no place in ours: its addresses and routes would be nobody's. With one that encrypts and one that does not,
  // there is no tunnel.
  for (const stranger of nodes.filter((node) => !sameCluster(node, self))) {
    nodes.splice(nodes.indexOf(stranger), 1);
    foreign.push(stranger.member);
  }
  const holders = nodes.map(({ metadata }) => metadata);
  const lost = new Set(findTwins(holders).flatMap(({ losers }) => losers));
  const usurper = loses(self.metadata, holders);
  return {
    self,
    peers: nodes
      .filter(
        (node) =>
          node !== self && node.metadata.id !== self.metadata.id && !lost.has(node.metadata),
      )
      .sort((a, b) => a.metadata.id - b.metadata.id),
    twins: nodes.filter(({ metadata }) => lost.has(metadata)),
    usurper: nodes.find(({ metadata }) => metadata === usurper),
    departed,
    expelled: departures.get(ownName),
    foreign,
  };
}

/** The ids of peers that gossip hears now. */
export function heardPeers(roster: Roster): NodeId[] {
  return roster.peers.filter(isHeard).map(({ metadata }) => metadata.id);
}

/** Who has an id that another won, or the one who won ours: those that are heard now. They are nobody's peers, and nobody but us would tell them. */
export function heardTwins({ self, twins, usurper }: Roster): RosterNode[] {
  const others = twins.filter((node) => node !== self);
  return [...(usurper === undefined ? [] : [usurper]), ...others].filter(isHeard);
}
