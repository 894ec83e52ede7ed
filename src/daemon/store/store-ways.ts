/**
 * To which voters this node may turn for the store: to its own etcd, else to voters that are heard, by a tunnel.
 *
 * Invariant: all ways lead to one store and generation: this node's own where it has a vote, else what is newest (`newestFirst`) of what
 * is heard of the lineage that it holds a copy of.
 */
import { HansaError } from "../../errors.ts";
import { openEtcdOver } from "../../store/etcd/etcd-channel.ts";
import { EtcdStore } from "../../store/etcd/etcd-store.ts";
import { EtcdVoters } from "../../store/etcd/etcd-voters.ts";
import type { Reached, StoreWay } from "../../store/node-store.ts";
import { lineageOf, newestFirst, revisionBase, type StoreMark } from "../../store/store-mark.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { PeerRequests } from "../doors/peer-requests.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { isHeard, type RosterNode } from "../membership/roster.ts";
import { openTunnel } from "../votes/store-tunnel.ts";
import type { VoterPlace } from "../votes/voter-place.ts";

export interface StoreWaysOptions {
  readonly self: NodeId;
  readonly place: Pick<VoterPlace, "link" | "record">;
  readonly membership: Pick<MembershipLoop, "roster">;
  readonly peers: Pick<PeerRequests, "nodes" | "request" | "hold" | "unreachable">;
  /** Which store this node holds a copy of. */
  readonly known: () => StoreMark | undefined;
}

const NEVER = new AbortController().signal;

/** Best first: nodes without a vote are spread over the voters by their ids. */
export function storeWays(options: StoreWaysOptions): StoreWay[] {
  const { self, place, membership, known } = options;
  const { peers } = membership.roster();
  const holders = peers.filter((peer) => isHeard(peer));
  const lost = peers.filter((peer) => !isHeard(peer));
  const marks = (nodes: readonly RosterNode[]): StoreMark[] =>
    nodes.flatMap(({ metadata }) => metadata.store ?? []);
  const wanted = place.record?.store ?? chosenStore(known(), marks(holders), marks(lost));
  if (wanted === undefined) return [];
  const voters = holders
    .filter(({ metadata }) => isSame(metadata.store, wanted))
    .sort((a, b) => a.metadata.id - b.metadata.id);
  const turn = self % Math.max(1, voters.length);
  const others = [...voters.slice(turn), ...voters.slice(0, turn)].map((voter) =>
    wayTo(voter, wanted, options),
  );
  return place.record ? [ownWay(options), ...others] : others;
}

/**
 * Of what the voters hold to that are `heard`: the newest of the lineage that is known; of another one only where no voter of ours is merely `lost`, as
 * when ours gave way. Undefined: none.
 */
export function chosenStore(
  known: StoreMark | undefined,
  heard: readonly StoreMark[],
  lost: readonly StoreMark[],
): StoreMark | undefined {
  const isOurs = (mark: StoreMark): boolean =>
    known !== undefined && lineageOf(mark) === lineageOf(known);
  const same = heard.filter(isOurs);
  const from = same.length > 0 || lost.some(isOurs) ? same : heard;
  return from.toSorted(newestFirst)[0];
}

function isSame(a: StoreMark | undefined, b: StoreMark): boolean {
  return a?.id === b.id && a.generation === b.generation;
}

function ownWay({ place }: StoreWaysOptions): StoreWay {
  return {
    ...{ name: "this node", isOwn: true },
    async open(): Promise<Reached> {
      const link = await place.link();
      const { record } = place;
      if (link === undefined || record === undefined) {
        throw new HansaError("STORE_UNREACHABLE", "this node has no vote any more");
      }
      return { mark: record.store, ...link, ended: NEVER, close: () => undefined };
    },
  };
}

function wayTo({ metadata }: RosterNode, wanted: StoreMark, { peers }: StoreWaysOptions): StoreWay {
  const { id, name } = metadata;
  return {
    ...{ name: `node ${id} (${name})`, isOwn: false },
    async open(): Promise<Reached> {
      const node = { id, name, isHeard: true, sinceMs: undefined };
      const { mark, socket } = await openTunnel(peers, node);
      if (!isSame(mark, wanted)) {
        socket.destroy();
        throw new HansaError("STORE_UNREACHABLE", "it holds to another store by now");
      }
      const ended = new AbortController();
      socket.on("close", () => ended.abort());
      const channel = await openEtcdOver(socket);
      return {
        ...{
          mark,
          store: new EtcdStore(channel, revisionBase(mark)),
          voters: new EtcdVoters(channel),
        },
        ended: ended.signal,
        close() {
          channel.close();
          socket.destroy();
        },
      };
    },
  };
}
