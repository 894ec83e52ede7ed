import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIpv4 } from "../../values/ipv4.ts";
import { type ClaimRefusal, claimError } from "./claim-error.ts";

const ADDRESS = parseIpv4("10.33.0.7");

const sentence = (refusal: ClaimRefusal, address: number | undefined, owner?: number): string => {
  const { code, message } = claimError(5, refusal, address, owner);
  return `${code}: ${message}`;
};

test("each reason has its code and names who and what", () => {
  assert.deepEqual(
    [
      sentence("in-use", ADDRESS, 2),
      sentence("owner-unreachable", ADDRESS, 3),
      sentence("owner-unreachable", ADDRESS),
      sentence("no-space", undefined),
      sentence("not-ready", undefined),
    ],
    [
      "IPAM_ADDRESS_IN_USE: 10.33.0.7 is in use on node 2",
      "IPAM_OWNER_UNREACHABLE: 10.33.0.7 belongs to node 3, which is out of reach",
      "IPAM_OWNER_UNREACHABLE: 10.33.0.7 belongs to a node that is out of reach or not known yet",
      "IPAM_EXHAUSTED: node 5 has no free address and no node in reach could give it any",
      "IPAM_NOT_READY: node 5 has no addresses yet and no node that has some is in reach",
    ],
  );
});
