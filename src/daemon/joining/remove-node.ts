/**
 * Takes a node out of the cluster for good: one that is heard is told to leave, one that is gone is taken over. Its key is let in no more.
 *
 * Invariants: only where a majority answers, and goes on answering without that node; never oneself; a node whose containers still hold addresses is not told to leave; the registry and the votes
 * follow by themselves, because the node is then among the departed.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Left, TakenOver } from "../../api/address-schemas.ts";
import type { Containers } from "../../api/container-schema.ts";
import type { QuorumView } from "../../api/quorum-schemas.ts";
import type { NodeRemoved } from "../../api/remove-schemas.ts";
import type { StoreView } from "../../api/store-schemas.ts";
import { isLeft } from "../../client/answer-check.ts";
import { HansaError, isHansaError } from "../../errors.ts";
import { lossWithout } from "../../store/vote-change.ts";
import type { NodeId } from "../../values/node-id.ts";
import { askPeer } from "../doors/ask-peer.ts";
import type { PeerRequests } from "../doors/peer-requests.ts";
import type { RememberedNode } from "../membership/membership-file.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { isHeard, type Roster } from "../membership/roster.ts";
import { asVoter } from "../votes/vote-desk.ts";

export interface RemoveNodeParts {
  readonly self: NodeId;
  readonly membership: Pick<MembershipLoop, "roster" | "remembered" | "departures">;
  readonly peers: Pick<PeerRequests, "request" | "unreachable">;
  /** Of the store's registry: it outlives what nodes remember. */
  readonly registered: () => readonly Known[];
  readonly quorum: () => Promise<QuorumView>;
  /** The votes, and who of them answers. */
  readonly store: () => Promise<Pick<StoreView, "voters">>;
  readonly containers: () => Promise<Containers>;
  readonly takeOver: (node: string, confirmed: boolean) => Promise<TakenOver>;
}

/** A node that is not heard; its place where that was ever known. */
type Known = Pick<RememberedNode, "id" | "name" | "keyFingerprint"> &
  Partial<Pick<RememberedNode, "endpoint">>;

export interface Removable {
  readonly id: NodeId;
  readonly name: string;
  readonly keyFingerprint: string;
  readonly isHeard: boolean;
}

const LEAVE_MS = 60_000;
/** For its goodbye to be heard, when its answer was not. */
const GOODBYE_MS = 5_000;
const LOOK_MS = 100;

/**
 * Throws USAGE for oneself, NODE_NOT_FOUND, STORE_NONE, STORE_NO_QUORUM, NETWORK_IN_USE, STORE_LAST_VOTE and STORE_REFUSED for a vote that the store
 * cannot do without, NODE_UNREACHABLE, and for a node that is gone as the take-over does
 * (TAKE_OVER_UNCONFIRMED unless `confirmed`, TAKE_OVER_REFUSED).
 */
export async function removeNode(
  parts: RemoveNodeParts,
  wanted: string,
  confirmed: boolean,
): Promise<NodeRemoved> {
  const { membership, self, takeOver } = parts;
  const known = [...membership.remembered, ...parts.registered()];
  const node = findRemovable(wanted, self, membership.roster(), known);
  const { quorate, totalVotes, quorum } = await parts.quorum();
  if (!quorate) {
    const text = `${totalVotes} votes answer, ${quorum} are needed: no node can be removed`;
    throw new HansaError("STORE_NO_QUORUM", text);
  }
  const { id, name } = node;
  if (!node.isHeard) {
    const { addresses } = await takeOver(`${id}`, confirmed);
    return { id, name, wasHeard: false, addresses, problem: null };
  }
  await refuseBusy(parts, node);
  // It looks itself as well; but it may be of an older version, and would take its time.
  const loss = lossWithout((await parts.store()).voters.map(asVoter), id);
  if (loss) throw loss;
  const left = await haveLeave(parts, node);
  return {
    id,
    name,
    wasHeard: true,
    addresses: left?.handedOver ?? 0,
    problem: left?.problem ?? null,
  };
}

/** The node of that name, id, or address; of one id in `known` the first counts. Pure. Throws USAGE for `self` or more than one, NODE_NOT_FOUND. */
export function findRemovable(
  wanted: string,
  self: NodeId,
  { self: own, peers }: Pick<Roster, "self" | "peers">,
  known: readonly Known[],
): Removable {
  const met = [own, ...peers].map((each) => ({
    ...{ id: each.metadata.id, name: each.metadata.name },
    keyFingerprint: each.metadata.keyFingerprint,
    addresses: [each.member.endpoint.ip, ...each.metadata.links.map(({ address }) => address)],
    isHeard: isHeard(each),
  }));
  const unmet = known.filter(({ id }) => met.every((each) => each.id !== id));
  const gone = [...Map.groupBy(unmet, ({ id }) => id).values()].flatMap(([first]) =>
    first === undefined ? [] : [{ ...first, addresses: placesOf(first), isHeard: false }],
  );
  const all = [...met, ...gone];
  const named = all.filter(({ name }) => name === wanted);
  const found = named.length > 0 ? named : all.filter(isAt(wanted));
  const [node, other] = found;
  if (node === undefined) {
    throw new HansaError(
      "NODE_NOT_FOUND",
      `Node/IP: ${wanted} is not a known host of the cluster.`,
    );
  }
  if (other) {
    const ids = found.map(({ id }) => id).join(", ");
    throw new HansaError("USAGE", `the nodes ${ids} are all called ${wanted}`, {
      hint: "name the node by its id",
    });
  }
  if (node.id === self) {
    throw new HansaError("USAGE", "Cannot delete myself from cluster!", {
      hint: "run the command on another node, or hansa reset here",
    });
  }
  const { id, name, keyFingerprint, isHeard: hears } = node;
  return { id, name, keyFingerprint, isHeard: hears };
}

function placesOf({ endpoint }: Known): string[] {
  return endpoint === undefined ? [] : [endpoint.ip];
}

function isAt(wanted: string) {
  return ({ id, addresses }: { readonly id: NodeId; readonly addresses: readonly string[] }) =>
    `${id}` === wanted || addresses.includes(wanted);
}

async function refuseBusy({ containers }: RemoveNodeParts, { id, name }: Removable): Promise<void> {
  const busy = (await containers()).containers.filter(
    ({ node, addresses }) => node.id === id && addresses.length > 0,
  );
  if (busy.length === 0) return;
  const names = busy.slice(0, 10).map(({ dockerName }) => dockerName);
  const text = `node ${id} (${name}) runs containers on the network hansa: ${names.join(", ")}`;
  throw new HansaError("NETWORK_IN_USE", text, {
    hint: "stop them there or run hansa reset --force there; a node that is off for good is removed as it is",
  });
}

/** Undefined when it left and its answer was lost: who leaves is cut off. */
async function haveLeave(
  { peers, membership }: RemoveNodeParts,
  node: Removable,
): Promise<Left | undefined> {
  const isGone = (): boolean =>
    membership.departures.some(
      ({ id, keyFingerprint }) => id === node.id && keyFingerprint === node.keyFingerprint,
    );
  try {
    const question = { method: "POST", path: "/v1/leave", timeoutMs: LEAVE_MS } as const;
    const answer = await askPeer(peers, node, question);
    if (isLeft(answer)) return answer;
  } catch (error) {
    if (!isHansaError(error, "NODE_UNREACHABLE")) throw error;
    const end = performance.now() + GOODBYE_MS;
    while (!isGone()) {
      if (performance.now() > end) throw error;
      await delay(LOOK_MS);
    }
  }
  return undefined;
}
