/**
 * Why a node that holds our keys is none of ours: what belongs to the whole cluster, its subnet and whether it encrypts, was fixed at each
 * node's launch and differs. Pure.
 *
 * Such a node is heard, listed and told about on both sides, and given nothing: no addresses, no tunnel, no records.
 */
import { decodeMetadata, type NodeMetadata } from "../../membership/metadata.ts";
import { formatCidr } from "../../values/cidr.ts";
import { isHeard, type Roster, type RosterNode } from "./roster.ts";

/** The sentence about `other`, from where `self` stands; undefined when the two belong together. */
export function differenceOf(self: NodeMetadata, other: NodeMetadata): string | undefined {
  const [theirs, ours] = [formatCidr(other.subnet), formatCidr(self.subnet)];
  if (theirs !== ours) {
    return `the node there has the subnet ${theirs}, this one ${ours}: launch all with the same`;
  }
  if (other.encryption === self.encryption) return undefined;
  return other.encryption === "none"
    ? "the node there was launched with --no-encryption, this one encrypts: launch all alike"
    : "the node there encrypts, this one was launched with --no-encryption: launch all alike";
}

/** The nodes that gossip hears and that are none of ours, each with the sentence why. Plain members of the protocol are not among them. */
export function differentNodes({ self, foreign }: Roster): { node: RosterNode; why: string }[] {
  return foreign.flatMap((member) => {
    const metadata = decodeMetadata(member.meta);
    if (metadata === undefined || !isHeard({ member, metadata })) return [];
    const why = differenceOf(self.metadata, metadata);
    return why === undefined ? [] : [{ node: { member, metadata }, why }];
  });
}
