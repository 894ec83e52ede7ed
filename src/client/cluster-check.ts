/** Light checks of answers about the cluster as a whole: see answer-check.ts. */
import type { JoinChecked, JoinInfo } from "../api/join-info-schemas.ts";
import type { QuorumView } from "../api/quorum-schemas.ts";
import type { NodeRemoved } from "../api/remove-schemas.ts";
import type { RemovedWitness } from "../api/witness-schemas.ts";
import { type Check, isBoolean, isNumber, isText, listOf, orNull, record } from "./shape.ts";

export const isQuorumView: Check<QuorumView> = record({
  ...{ name: isText, configVersion: orNull(isNumber), transport: isText, secureAuth: isBoolean },
  ...{ provider: isText, date: isText, nodes: isNumber, nodeId: isNumber, quorate: isBoolean },
  ringId: orNull(record({ node: isNumber, sequence: isNumber })),
  ...{ expectedVotes: isNumber, highestExpected: isNumber, totalVotes: isNumber },
  ...{ quorum: isNumber, flags: listOf(isText) },
  witness: orNull(record({ votes: isNumber, isAlive: isBoolean })),
  members: listOf(
    record({
      ...{ id: isNumber, name: isText, address: orNull(isText) },
      ...{ votes: isNumber, isLocal: isBoolean },
    }),
  ),
});

export const isJoinInfo: Check<JoinInfo> = record({
  ...{ cluster: isText, name: isText, configVersion: orNull(isNumber), quorate: isBoolean },
  ...{ version: isText, date: isText, encryption: isText, fingerprint: isText },
  nodeId: isNumber,
  nodes: listOf(
    record({
      ...{ id: isNumber, name: isText, address: isText, isHeard: isBoolean },
      ports: record({ gossip: isNumber, overlay: isNumber, api: isNumber }),
      links: listOf(record({ number: isNumber, address: isText, priority: isNumber })),
    }),
  ),
});

export const isJoinChecked: Check<JoinChecked> = record({
  address: isText,
  paths: listOf(record({ direction: isText, protocol: isText, port: isNumber, isOpen: isBoolean })),
});

export const isRemovedWitness: Check<RemovedWitness> = record({ host: isText, wasTold: isBoolean });

export const isNodeRemoved: Check<NodeRemoved> = record({
  ...{ id: isNumber, name: isText, wasHeard: isBoolean },
  ...{ addresses: isNumber, problem: orNull(isText) },
});
