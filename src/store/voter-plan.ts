/**
 * Which change of the store's voters comes next: a plan from what etcd lists, who is to have a vote, and who is there. Pure.
 *
 * Invariants: only learners are added, one at a time, and one gets its vote only when it has the whole log and every voter answers: a voter that never starts
 * would lock a store of one for good. A vote is taken away only where those left are a majority of themselves. One step at a time; after each
 * the facts are looked at anew, so a plan that was broken off anywhere is taken up by whoever leads next.
 */
import type { NodeId } from "../values/node-id.ts";
import { isSameStore, type StoreMark } from "./store-mark.ts";

export type { StoreMark };

/** More make each commit slower and survive hardly more. */
export const MAX_VOTERS = 7;
/** Who has a vote unless somebody says otherwise. */
export const FIRST_VOTERS: readonly NodeId[] = [1, 2, 3, 4];
/** Number of the voter that is no node (witness-record.ts). */
export const WITNESS = 0;

/** As etcd lists it. */
export interface StoreMember {
  readonly id: bigint;
  /** The member's name in gossip; "" until it has started. */
  readonly name: string;
  readonly peerUrl: string;
  readonly isLearner: boolean;
}

/** As gossip knows it. */
export interface VoterNode {
  readonly id: NodeId;
  /** The member's name in gossip: the id and the node's key. */
  readonly name: string;
  /** Where its etcd serves, or would. */
  readonly peerUrl: string;
  readonly isHeard: boolean;
  /** It has been heard under this name for a while: of two who claim one id the one that has it is known by then. */
  readonly isSteady: boolean;
  /** What it says it holds to; undefined: nothing, as one that was never asked, or whose disk was wiped. */
  readonly store: StoreMark | undefined;
}

export interface VoterFacts {
  readonly store: StoreMark;
  readonly members: readonly StoreMember[];
  /** All that have an id of the cluster now, this one among them. */
  readonly nodes: readonly VoterNode[];
  /** Members in gossip that left for good or were taken over, by name. */
  readonly departed: ReadonlySet<string>;
  /** The witness, where there is one, is among the nodes and not among these: see `isWitnessWanted`. */
  readonly wanted: ReadonlySet<NodeId>;
  /** Members whose etcd says now that it follows this leader. */
  readonly following: ReadonlySet<bigint>;
  /** Learners that have all of the log but what was added in the last moments. */
  readonly inSync: ReadonlySet<bigint>;
  /** Nodes that said lately that they cannot take a vote, as without the program, or with its port taken. */
  readonly unable: ReadonlySet<NodeId>;
}

export type VoterStep =
  | { readonly step: "remove"; readonly member: StoreMember; readonly why: string }
  | { readonly step: "move"; readonly member: StoreMember; readonly peerUrl: string }
  /** The node's etcd is to run as this member. */
  | { readonly step: "start"; readonly member: StoreMember; readonly node: VoterNode }
  | { readonly step: "promote"; readonly member: StoreMember }
  | { readonly step: "add"; readonly node: VoterNode }
  /** The node holds data of this store and has no place in it: it is to put them away. */
  | { readonly step: "end"; readonly node: VoterNode };

/** The next step; undefined: nothing to do, or to be waited. */
export function nextVoterStep(facts: VoterFacts): VoterStep | undefined {
  return removal(facts) ?? move(facts) ?? learnersStep(facts) ?? addition(facts) ?? ending(facts);
}

/** How many of so many votes decide. */
export function majorityOf(votes: number): number {
  return Math.floor(votes / 2) + 1;
}

/** The node that a member is, or was: by its name, and until it has one, by its place. */
export function nodeOf(
  member: Pick<StoreMember, "name" | "peerUrl">,
  nodes: readonly VoterNode[],
): VoterNode | undefined {
  return nodes.find(({ name, peerUrl }) =>
    member.name === "" ? peerUrl === member.peerUrl : name === member.name,
  );
}

function removal(facts: VoterFacts): VoterStep | undefined {
  for (const member of facts.members) {
    const why = reasonToGo(member, facts);
    if (why !== undefined && mayGo(member, facts)) return { step: "remove", member, why };
  }
  return undefined;
}

function reasonToGo(member: StoreMember, facts: VoterFacts): string | undefined {
  const { nodes, departed, store, wanted } = facts;
  if (departed.has(member.name)) return "it left the cluster";
  const node = nodeOf(member, nodes);
  const id = node?.id ?? Number.parseInt(member.name, 10);
  if (id === WITNESS) {
    if (node === undefined) return "the witness was removed";
    if (!isWitnessWanted(facts)) return "with it the votes would be even";
  } else if (Number.isInteger(id) && !wanted.has(id)) return "its vote was taken";
  if (node === undefined) {
    const successor = nodes.find(({ peerUrl, isSteady }) => isSteady && peerUrl === member.peerUrl);
    if (successor) return `${successor.name} is in its place`;
    // Until it starts it has no name by which it could be among the departed.
    return member.isLearner ? "its node is gone, and had no vote yet" : undefined;
  }
  // A learner has no vote to lose, and holds up those that come after it.
  if (member.isLearner) {
    if (!node.isHeard) return "it is not heard, and had no vote yet";
    const isStuck = facts.unable.has(node.id) && !facts.following.has(member.id);
    const isWaitedFor = candidates(facts).some(({ id: other }) => !facts.unable.has(other));
    return isStuck && isWaitedFor ? "its node cannot take it, and another one can" : undefined;
  }
  if (node.isHeard && node.store === undefined) return "it has lost its data";
  if (node.isHeard && node.store?.id !== store.id) return "it holds to another store";
  // As lost data: what it has was outlived by a recovery.
  if (node.isHeard && node.store && node.store.generation < store.generation) {
    return "it holds to a former generation of the store";
  }
  return undefined;
}

function mayGo(member: StoreMember, { members, following }: VoterFacts): boolean {
  if (member.isLearner) return true;
  const left = members.filter(({ isLearner, id }) => !isLearner && id !== member.id);
  const answering = left.filter(({ id }) => following.has(id)).length;
  return left.length > 0 && answering >= majorityOf(left.length);
}

function move({ members, nodes }: VoterFacts): VoterStep | undefined {
  for (const member of members) {
    const node = nodeOf(member, nodes);
    if (node === undefined || !node.isHeard || node.peerUrl === member.peerUrl) continue;
    return { step: "move", member, peerUrl: node.peerUrl };
  }
  return undefined;
}

function learnersStep(facts: VoterFacts): VoterStep | undefined {
  const { members, nodes, store, following, inSync } = facts;
  const learner = members.find(({ isLearner }) => isLearner);
  const node = learner && nodeOf(learner, nodes);
  if (learner === undefined || node === undefined || !node.isHeard) return undefined;
  const runs = node.store && isSameStore(node.store, store) && following.has(learner.id);
  if (!runs) return { step: "start", member: learner, node };
  const voters = members.filter(({ isLearner }) => !isLearner);
  const isWhole = voters.every(({ id }) => following.has(id));
  return isWhole && inSync.has(learner.id) ? { step: "promote", member: learner } : undefined;
}

/** Those who are tried in vain come last. */
function addition(facts: VoterFacts): VoterStep | undefined {
  const { members, nodes, unable } = facts;
  if (members.some(({ isLearner }) => isLearner) || members.length >= MAX_VOTERS) return undefined;
  const [node] = candidates(facts).sort((a, b) => a.id - b.id);
  const able = candidates(facts).filter(({ id }) => !unable.has(id));
  const witness = nodes.find(({ id }) => id === WITNESS);
  const comes = witness && isWitnessWanted(facts) && isAddable(witness, facts);
  const next = able.sort((a, b) => a.id - b.id)[0] ?? (comes ? witness : node);
  return next && { step: "add", node: next };
}

function isAddable(node: VoterNode, { members, nodes, store, departed }: VoterFacts): boolean {
  return (
    node.isHeard &&
    !departed.has(node.name) &&
    (node.store === undefined || isSameStore(node.store, store)) &&
    members.every((member) => member.peerUrl !== node.peerUrl && nodeOf(member, nodes) !== node)
  );
}

/**
 * The witness has a vote while those of the nodes are even: with an odd number of them it would be one more that can fail, and no failure more would be survived.
 * While a node's vote is about to come it keeps what it has.
 */
function isWitnessWanted(facts: VoterFacts): boolean {
  const { members, nodes, unable } = facts;
  const isWitness = ({ name, peerUrl }: StoreMember): boolean =>
    nodeOf({ name, peerUrl }, nodes)?.id === WITNESS || name.startsWith(`${WITNESS}-`);
  const ofNodes = members.filter((member) => !isWitness(member));
  const votes = ofNodes.filter(({ isLearner }) => !isLearner).length;
  const hasPlace = members.length > ofNodes.length;
  const comes = candidates(facts).some(({ id }) => !unable.has(id));
  // Of the last place a node makes better use.
  if (comes && members.length >= MAX_VOTERS) return false;
  return votes % 2 === 0 || (hasPlace && (comes || votes < ofNodes.length));
}

/** Nodes that are to have a vote, may have it, and have no place among the members yet. */
function candidates(facts: VoterFacts): VoterNode[] {
  return facts.nodes.filter((node) => facts.wanted.has(node.id) && isAddable(node, facts));
}

/** Its vote was taken while it was away, or the word of it did not reach it: its etcd ended by itself. */
function ending(facts: VoterFacts): VoterStep | undefined {
  const { nodes, members, store, wanted } = facts;
  const node = nodes.find(
    (each) =>
      each.isHeard &&
      !(each.id === WITNESS ? isWitnessWanted(facts) : wanted.has(each.id)) &&
      each.store !== undefined &&
      isSameStore(each.store, store) &&
      members.every((member) => member.peerUrl !== each.peerUrl && nodeOf(member, nodes) !== each),
  );
  return node && { step: "end", node };
}
