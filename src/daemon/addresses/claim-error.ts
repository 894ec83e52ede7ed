/** What Docker's user is told when the address machine refuses a claim: one code and one sentence for each reason. Pure. */
import { HansaError } from "../../errors.ts";
import type { IpamOutput } from "../../ipam/step.ts";
import { formatIpv4, type Ipv4 } from "../../values/ipv4.ts";
import type { NodeId } from "../../values/node-id.ts";

export type ClaimRefusal = Exclude<
  Extract<IpamOutput, { type: "claim-done" }>["result"],
  "granted"
>;

/** `wanted` undefined stands for any address; `owner` is named where the result has one. */
export function claimError(
  self: NodeId,
  result: ClaimRefusal,
  wanted: Ipv4 | undefined,
  owner: NodeId | undefined,
): HansaError {
  const address = wanted === undefined ? "an address" : formatIpv4(wanted);
  switch (result) {
    case "in-use":
      return new HansaError(
        "IPAM_ADDRESS_IN_USE",
        `${address} is in use${owner === undefined ? "" : ` on node ${owner}`}`,
      );
    case "owner-unreachable":
      return new HansaError(
        "IPAM_OWNER_UNREACHABLE",
        owner === undefined
          ? `${address} belongs to a node that is out of reach or not known yet`
          : `${address} belongs to node ${owner}, which is out of reach`,
      );
    case "no-space":
      return new HansaError(
        "IPAM_EXHAUSTED",
        `node ${self} has no free address and no node in reach could give it any`,
      );
    case "not-ready":
      return new HansaError(
        "IPAM_NOT_READY",
        `node ${self} has no addresses yet and no node that has some is in reach`,
      );
  }
}
