/** The quorum as one node sees it, out of what its store and its gossip say. Pure. */
import type { QuorumView } from "../../api/quorum-schemas.ts";
import type { StoreView } from "../../api/store-schemas.ts";
import type { NodeFile } from "../../processes/node-file.ts";
import { majorityOf } from "../../store/voter-plan.ts";
import { isHeard, type Roster } from "../membership/roster.ts";

export interface QuorumFacts {
  readonly node: Pick<NodeFile, "id" | "cluster" | "encryption">;
  readonly roster: Pick<Roster, "self" | "peers">;
  /** What a voter says; undefined: none answers, though some are known. */
  readonly store: StoreView | undefined;
  readonly nowMs: number;
}

/** The program that counts the votes and keeps what they agree on. */
const PROVIDER = "etcd";

export function quorumViewOf({ node, roster, store, nowMs }: QuorumFacts): QuorumView {
  const known = [roster.self, ...roster.peers];
  const there = known
    .filter((each) => each === roster.self || isHeard(each))
    .toSorted((a, b) => a.metadata.id - b.metadata.id);
  const voters = store
    ? store.voters.filter(({ hasVote }) => hasVote).map(({ id }) => id)
    : known.filter(({ metadata }) => metadata.store).map(({ metadata }) => metadata.id);
  const expected = store?.votes.expected ?? voters.length;
  const quorate = store?.quorate ?? false;
  const representative = store?.leader?.id ?? there[0]?.metadata.id ?? node.id;
  return {
    name: store?.name ?? node.cluster,
    configVersion: store?.configVersion ?? null,
    transport: node.encryption === "none" ? "vxlan" : "wireguard",
    secureAuth: true,
    provider: PROVIDER,
    date: new Date(nowMs).toISOString(),
    nodes: there.length,
    nodeId: node.id,
    ringId: store
      ? { node: representative, sequence: store.term + (store.configVersion ?? 0) }
      : null,
    quorate,
    expectedVotes: expected,
    highestExpected: expected,
    totalVotes: store?.votes.answering ?? 0,
    quorum: store?.votes.needed ?? majorityOf(expected),
    flags: [...(quorate ? ["Quorate"] : []), ...(store?.witness ? ["Qdevice"] : [])],
    witness: store?.witness
      ? { votes: store.witness.hasVote ? 1 : 0, isAlive: store.witness.isHeard }
      : null,
    members: there.map(({ metadata: { id, name, links } }) => ({
      ...{
        id,
        name,
        address: (links.find(({ number }) => number === 0) ?? links[0])?.address ?? null,
      },
      ...{ votes: voters.includes(id) ? 1 : 0, isLocal: id === node.id },
    })),
  };
}
