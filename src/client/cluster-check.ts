/** Light checks of answers about the cluster as a whole: see answer-check.ts. */
import type { JoinChecked, JoinInfo } from "../api/join-info-schemas.ts";
import type { QuorumView } from "../api/quorum-schemas.ts";
import type { NodeRemoved } from "../api/remove-schemas.ts";
import type { RemovedWitness } from "../api/witness-schemas.ts";
import { type Check, has, isBoolean, isNumber, isText, listOf, orNull } from "./shape.ts";

export const isQuorumView: Check<QuorumView> = (value): value is QuorumView =>
  has(value, {
    ...{ name: isText, configVersion: orNull(isNumber), transport: isText, secureAuth: isBoolean },
    ...{ provider: isText, date: isText, nodes: isNumber, nodeId: isNumber, quorate: isBoolean },
    ringId: orNull((ring) => has(ring, { node: isNumber, sequence: isNumber })),
    ...{ expectedVotes: isNumber, highestExpected: isNumber, totalVotes: isNumber },
    ...{ quorum: isNumber, flags: listOf(isText) },
    witness: orNull((witness) => has(witness, { votes: isNumber, isAlive: isBoolean })),
    members: listOf((member) =>
      has(member, {
        ...{ id: isNumber, name: isText, address: orNull(isText) },
        ...{ votes: isNumber, isLocal: isBoolean },
      }),
    ),
  });

export const isJoinInfo: Check<JoinInfo> = (value): value is JoinInfo =>
  has(value, {
    ...{ cluster: isText, name: isText, configVersion: orNull(isNumber), quorate: isBoolean },
    ...{ version: isText, date: isText, encryption: isText, fingerprint: isText },
    nodeId: isNumber,
    nodes: listOf((node) =>
      has(node, {
        ...{ id: isNumber, name: isText, address: isText, isHeard: isBoolean },
        ports: (ports) => has(ports, { gossip: isNumber, overlay: isNumber, api: isNumber }),
        links: listOf((link) =>
          has(link, { number: isNumber, address: isText, priority: isNumber }),
        ),
      }),
    ),
  });

export const isJoinChecked: Check<JoinChecked> = (value): value is JoinChecked =>
  has(value, {
    address: isText,
    paths: listOf((path) =>
      has(path, { direction: isText, protocol: isText, port: isNumber, isOpen: isBoolean }),
    ),
  });

export const isRemovedWitness: Check<RemovedWitness> = (value): value is RemovedWitness =>
  has(value, { host: isText, wasTold: isBoolean });

export const isNodeRemoved: Check<NodeRemoved> = (value): value is NodeRemoved =>
  has(value, {
    ...{ id: isNumber, name: isText, wasHeard: isBoolean },
    ...{ addresses: isNumber, problem: orNull(isText) },
  });
