/**
 * The votes of the store as this node knows them without asking anybody: by its copy of the store, and by whom gossip hears. Pure.
 *
 * It decides nothing: it is for sentences, and for what is shown while no voter answers.
 */
import { parseMemberName } from "../../membership/member-name.ts";
import { NODES_PREFIX, registeredNodes } from "../../store/node-registry.ts";
import type { Entry } from "../../store/store.ts";
import {
  majorityOf,
  nodeOf,
  type StoreMember,
  type VoterNode,
  WITNESS,
} from "../../store/voter-plan.ts";
import { GIVEN_KEY, givenIn } from "../../store/votes.ts";
import {
  decodeWitness,
  WITNESS_KEY,
  witnessMember,
  witnessTitle,
} from "../../store/witness-record.ts";
import type { NodeId } from "../../values/node-id.ts";

/** What is read of a mirror. */
export interface VotesKnown {
  get(key: string): Entry | undefined;
  list(prefix: string): readonly Entry[];
}

/** As the copy of the store has them; none where there is no copy. */
export function votesIn(mirror: VotesKnown): StoreMember[] {
  const { voters } = givenIn(mirror.get(GIVEN_KEY)?.value);
  return voters.map((name) => ({ id: 0n, name, peerUrl: "", isLearner: false }));
}

/** Name of the node that is, or was, the member. */
export function nodeNameIn(mirror: VotesKnown, member: string): string | undefined {
  const witness = decodeWitness(mirror.get(WITNESS_KEY)?.value);
  if (witness && witnessMember(witness) === member) return witnessTitle(witness);
  const nodes = registeredNodes(mirror.list(NODES_PREFIX)).values();
  return [...nodes].find((node) => node.member === member)?.name;
}

/** The nodes that the store's registry has, with the marks of their keys; `hasDeparted` tells of members that are gone for good, which are on their way out of it. */
export function registeredIn(
  mirror: Pick<VotesKnown, "list">,
  hasDeparted: (member: string) => boolean,
): { readonly id: NodeId; readonly name: string; readonly keyFingerprint: string }[] {
  return [...registeredNodes(mirror.list(NODES_PREFIX)).values()].flatMap(({ name, member }) => {
    const parsed = parseMemberName(member);
    return parsed && !hasDeparted(member) ? [{ ...parsed, name }] : [];
  });
}

/** "1 of 3 votes are heard, 2 are needed; missing: host2 (node 2), host3 (node 3)". */
export function votesSentence(
  members: readonly StoreMember[],
  nodes: readonly VoterNode[],
  named: (member: StoreMember) => { readonly id: number; readonly name: string },
): string {
  const votes = members.filter(({ isLearner }) => !isLearner);
  const missing = votes.filter((member) => nodeOf(member, nodes)?.isHeard !== true);
  const heard = votes.length - missing.length;
  const needed = majorityOf(votes.length);
  const names = missing
    .map(named)
    .sort((a, b) => a.id - b.id)
    .map(({ id, name }) => (id === WITNESS ? name : `${name} (node ${id})`));
  const whom = missing.length === 0 ? "" : `; missing: ${names.join(", ")}`;
  if (heard < needed) {
    return `${heard} of ${votes.length} votes are heard, ${needed} are needed${whom}`;
  }
  const who = missing.length === 0 ? "all" : `${heard}`;
  return `no majority of the ${votes.length} votes answered in time, though ${who} are heard${whom}`;
}
