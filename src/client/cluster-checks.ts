/** Light checks of answers about the cluster as a whole: see answer-check.ts. */
import type { QuorumView } from "../api/quorum-schemas.ts";
import { type Check, has, isBoolean, isNumber, isText, listOf, orNull } from "./answer-check.ts";

export const isQuorumView: Check<QuorumView> = (value): value is QuorumView =>
  has(value, {
    ...{ name: isText, configVersion: orNull(isNumber), transport: isText, secureAuth: isBoolean },
    ...{ provider: isText, date: isText, nodes: isNumber, nodeId: isNumber, quorate: isBoolean },
    ringId: orNull((ring) => has(ring, { node: isNumber, sequence: isNumber })),
    ...{ expectedVotes: isNumber, highestExpected: isNumber, totalVotes: isNumber },
    ...{ quorum: isNumber, flags: listOf(isText) },
    members: listOf((member) =>
      has(member, {
        ...{ id: isNumber, name: isText, address: orNull(isText) },
        ...{ votes: isNumber, isLocal: isBoolean },
      }),
    ),
  });
