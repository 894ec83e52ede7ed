/** The cluster's subnet is used by nothing else on the host. */
import { collisions } from "../../processes/subnet-collision.ts";
import { parseCidr } from "../../values/cidr.ts";
import { type Finding, findingOf } from "../finding.ts";
import { hostCheck } from "./check.ts";

export const subnet = hostCheck("the subnet is free", ({ subnet, usedBlocks, launched }) => {
  const block = parseCidr(subnet);
  if (block === undefined) return { skipped: `${subnet} is no subnet` };
  return collisions(block, usedBlocks).map((error): Finding => {
    const found = findingOf(error);
    // A launched cluster cannot change its subnet: what came later has to go.
    return launched === undefined ? found : { ...found, mend: removal(error.message) };
  });
});

function removal(sentence: string): string {
  const [, route, device] = /the route (\S+) of device (\S+)/.exec(sentence) ?? [];
  if (route !== undefined) return `ip route del ${route} dev ${device}, and what adds it at boot`;
  const [, network] = /the network (\S+) \(/.exec(sentence) ?? [];
  return `docker network rm ${network ?? "NETWORK"}, and make it again with another --subnet`;
}
