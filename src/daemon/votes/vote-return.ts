/**
 * How a node gives its vote back before it leaves the cluster for good.
 *
 * A node that is gone for good has none to give: its part of the store is put away, unless that is a store of its own that still works.
 *
 * Invariants: unless it is forced, no vote goes without which the store would have no majority, or no end but this one; once the members know of this node no
 * more, its part of the store is put away and it names no store, so that nobody takes it for one that has a vote.
 */
import { setTimeout as delay } from "node:timers/promises";
import { codedSentence, HansaError, isHansaError } from "../../errors.ts";
import { lossWithout, type VoteFacts } from "../../store/vote-change.ts";
import { majorityOf, nodeOf, type StoreMember } from "../../store/voter-plan.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { isHeard } from "../membership/roster.ts";
import type { VoterLead } from "./voter-lead.ts";
import type { VoterPlace } from "./voter-place.ts";

export interface VoteReturnParts {
  readonly self: NodeId;
  readonly place: Pick<VoterPlace, "link" | "keep" | "end">;
  readonly lead: Pick<VoterLead, "nodes" | "ask">;
  readonly membership: Pick<MembershipLoop, "roster" | "remembered" | "setStore">;
  /** How long it is tried again: its etcd may have been started just now, and the others not be heard yet. */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 10_000;
/** Of a node that is gone for good: for an etcd that was started just now to say whether it is led. */
const DEPARTED_PATIENCE_MS = 2_000;
const LOOK_MS = 200;

/** Undefined, or why it could not be given back. Throws STORE_LAST_VOTE and STORE_REFUSED for a vote that the store cannot do without, unless `isForced`. */
export async function returnVote(
  parts: VoteReturnParts,
  isForced: boolean,
): Promise<string | undefined> {
  const isDeparted = parts.membership.roster().expelled !== undefined;
  const patienceMs = isDeparted ? DEPARTED_PATIENCE_MS : PATIENCE_MS;
  const endMs = performance.now() + (parts.patienceMs ?? patienceMs);
  for (;;) {
    const { loss, failure } = await tried(parts, isForced);
    if (!loss && !failure) return undefined;
    if (performance.now() > endMs) {
      if (loss) throw loss;
      if (isDeparted) return await putAway(parts);
      return `its vote in the store could not be given back: ${codedSentence(failure)}`;
    }
    await delay(LOOK_MS);
  }
}

const NOT_LED = new HansaError("STORE_NO_QUORUM", "this node's etcd is led by nobody");

interface Outcome {
  /** The store cannot do without it. */
  readonly loss?: HansaError | undefined;
  /** Nobody could be asked. */
  readonly failure?: HansaError | undefined;
}

async function tried(parts: VoteReturnParts, isForced: boolean): Promise<Outcome> {
  const { place, membership } = parts;
  try {
    await place.keep();
    const link = await place.link();
    if (link === undefined) return {};
    const { member, leader } = await link.store.status();
    // The others let it in no more, and took its vote with its addresses: a list would only be waited for.
    if (leader === undefined && membership.roster().expelled !== undefined)
      return { failure: NOT_LED };
    const members = await link.voters.list();
    const votes = members.filter(({ isLearner }) => !isLearner);
    if (!isForced && votes.some(({ id }) => id === member)) {
      const found = await lossOf(parts, votes, member, leader);
      if (found) return found;
    }
    // Its data goes with the node's.
    if (votes.every(({ id }) => id === member)) return {};
    if (members.some(({ id }) => id === member)) await link.voters.remove(member);
    await place.end();
    membership.setStore(undefined);
    return {};
  } catch (failure) {
    if (!isHansaError(failure)) throw failure;
    return { failure };
  }
}

/** The store of the others is none of a departed node's any more. Undefined, or why its part is still there. */
async function putAway({ place, membership }: VoteReturnParts): Promise<string | undefined> {
  try {
    await place.end();
    membership.setStore(undefined);
    return undefined;
  } catch (failure) {
    if (!isHansaError(failure)) throw failure;
    return `its part of the store could not be put away: ${codedSentence(failure)}`;
  }
}

async function lossOf(
  { self, lead, membership }: VoteReturnParts,
  votes: readonly StoreMember[],
  member: bigint,
  leader: bigint | undefined,
): Promise<Outcome | undefined> {
  const { peers } = membership.roster();
  if (!peers.some(isHeard)) {
    // A node that is alone ends its store with itself; one that knows others may hear them in a moment.
    const failure = new HansaError("NODE_UNREACHABLE", "no other node is heard");
    return membership.remembered.length > 0 ? { failure } : undefined;
  }
  const nodes = lead.nodes();
  const voters = await Promise.all(
    votes.map(async (vote): Promise<VoteFacts["voters"][number]> => {
      if (vote.id === member) return { id: self, hasVote: true, answers: leader !== undefined };
      const node = nodeOf(vote, nodes);
      const voter = node?.isHeard ? await lead.ask(node.id) : undefined;
      const isPrompt = voter !== undefined && !voter.isLate;
      const answers = leader !== undefined && isPrompt && voter.leader === leader.toString(16);
      return { id: node?.id ?? Number.parseInt(vote.name, 10), hasVote: true, answers };
    }),
  );
  const loss = lossWithout(voters, self);
  if (loss === undefined) return undefined;
  const answering = voters.filter(({ answers }) => answers).length;
  if (loss.code === "STORE_LAST_VOTE" || answering >= majorityOf(voters.length)) return { loss };
  // What is lost already is not lost by leaving.
  return { failure: new HansaError("STORE_NO_QUORUM", "no majority of the votes answers") };
}
