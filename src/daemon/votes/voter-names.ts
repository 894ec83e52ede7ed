/** Which node a voter is, as far as anybody here knows. */
import { nodeOf, type StoreMember } from "../../store/voter-plan.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { nodeNameIn, type VotesKnown } from "./known-votes.ts";
import type { VoterLead } from "./voter-lead.ts";

export interface VoterNamesOptions {
  readonly lead: Pick<VoterLead, "nodes">;
  /** This node's copy of the store. */
  readonly mirror: VotesKnown;
  readonly membership: Pick<MembershipLoop, "roster">;
}

/** Id and name of a voter's node: as gossip has them, else as they stand in this node's copy of the store. */
export function voterName(
  member: StoreMember,
  { lead, mirror, membership }: VoterNamesOptions,
): { readonly id: number; readonly name: string } {
  const { self, peers } = membership.roster();
  const node = nodeOf(member, lead.nodes());
  const found = [self, ...peers].find((each) => each.member.name === node?.name);
  if (found) return { id: found.metadata.id, name: found.metadata.name };
  const id = Number.parseInt(member.name, 10) || 0;
  return { id, name: nodeNameIn(mirror, member.name) ?? (member.name || "not started") };
}
