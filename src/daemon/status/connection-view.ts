/**
 * The rows of connections in the status: one for each peer, each target that led to none, and each source that was turned away. Pure.
 *
 * Invariants: an established row has no error, any other but one being dialled for the first time says what is wrong and what to look
 * at; "failed" is what is never tried again by us.
 */
import type { Connection } from "../../api/status-schema.ts";
import type { PeerView, TargetView } from "../../membership/dialer.ts";
import { formatMemberName } from "../../membership/member-name.ts";
import { decodeMetadata } from "../../membership/metadata.ts";
import type { NodeFile } from "../../processes/node-file.ts";
import type { Path } from "../../relay/relay-paths.ts";
import { formatEndpoint, parseTarget } from "../../values/endpoint.ts";
import type { NodeId } from "../../values/node-id.ts";
import { carrierOf } from "../data-path/carrier.ts";
import type { TunnelView } from "../data-path/tunnel-proof.ts";
import { differenceOf, differentNodes } from "../membership/foreign-node.ts";
import type { RememberedNode } from "../membership/membership-file.ts";
import { AUTHENTICATION_FAILED, type Rejection } from "../membership/rejections.ts";
import { isHeard, type Roster, type RosterNode } from "../membership/roster.ts";

export interface ConnectionFacts {
  readonly node: NodeFile;
  readonly roster: Roster;
  readonly targets: readonly TargetView[];
  /** Nodes met in this or a former life of the daemon; none where not given. */
  readonly remembered?: readonly RememberedNode[];
  /** Dials of nodes once met; none where not given. */
  readonly knownPeers?: readonly PeerView[];
  readonly rejections: readonly Rejection[];
  readonly mtu: number;
  readonly tunnel: (id: NodeId) => TunnelView;
  /** The way that the tunnel's datagrams take. */
  readonly path: (id: NodeId) => Path;
  /** True when our dial made the contact to the host with that address. */
  readonly hasDialled: (ip: string) => boolean;
  /** Wall time of a moment of the monotonic clock. */
  readonly wallTime: (monotonicMs: number) => Date;
}

/** What a row says unless it knows better. */
const UNKNOWN = {
  encrypted: false,
  backend: null,
  via: null,
  peer: null,
  rttMs: null,
  mtu: null,
  error: null,
  retryAt: null,
} as const;

export function connectionsOf(facts: ConnectionFacts): Connection[] {
  const { roster, targets, rejections } = facts;
  const peers = roster.peers.filter(({ member }) => member.state !== "left");
  const unheard = unheardNodes(facts);
  const listed = new Set([
    ...peers.map(({ member }) => member.name),
    ...unheard.map((node) => formatMemberName(node)),
  ]);
  return [
    ...peers.map((peer) => peerRow(facts, peer)),
    ...unheard.map((node) => unheardRow(facts, node)),
    // A target that led to a node that has a row of its own needs none.
    ...targets
      .filter(({ member }) => member === undefined || !listed.has(member))
      .map((target) => targetRow(facts, target)),
    ...differentRows(facts),
    ...rejections.map(rejectionRow),
  ];
}

/**
 * Nodes of before this daemon's start that gossip knows nothing of yet: their tunnels stand, and they are looked for. Not those whose
 * id another has now.
 */
export function unheardNodes({ roster, remembered = [] }: ConnectionFacts): RememberedNode[] {
  const nodes = [roster.self, ...roster.peers, ...roster.twins];
  const ids = new Set(nodes.map(({ metadata }) => metadata.id));
  return remembered.filter(({ id }) => !ids.has(id));
}

/** Where its gossip was last, as far as is known. */
export function unheardAddress(facts: ConnectionFacts, node: RememberedNode): string {
  const name = formatMemberName(node);
  const known = facts.knownPeers?.find((peer) => peer.name === name)?.endpoint;
  return formatEndpoint(known ?? { ip: node.endpoint.ip, port: facts.node.ports.gossip });
}

function unheardRow(facts: ConnectionFacts, node: RememberedNode): Connection {
  const dial = dialOf(facts, formatMemberName(node));
  const question = `is the host up, and ${facts.node.ports.gossip}/tcp and udp open?`;
  return {
    ...UNKNOWN,
    address: unheardAddress(facts, node),
    direction: "outbound",
    state: "retrying",
    encrypted: facts.node.encryption === "wireguard",
    peer: { id: node.id, name: node.name },
    error: dial?.error ?? `not heard since this daemon started: ${question}`,
    retryAt: retryAt(facts, dial),
  };
}

export function reference({ metadata }: RosterNode): { id: number; name: string } {
  return { id: metadata.id, name: metadata.name };
}

function peerRow(facts: ConnectionFacts, peer: RosterNode): Connection {
  const { member, metadata } = peer;
  const tunnel = facts.tunnel(metadata.id);
  const heard = isHeard(peer);
  const established = heard && member.state === "alive" && tunnel.proved;
  const path = facts.path(metadata.id);
  const dial = heard ? undefined : dialOf(facts, member.name);
  return {
    address: formatEndpoint(member.endpoint),
    direction: facts.hasDialled(member.endpoint.ip) ? "outbound" : "inbound",
    state: established ? "established" : heard ? "pending" : "retrying",
    encrypted: facts.node.encryption === "wireguard",
    backend: heard && tunnel.proved ? carrierOf(facts.node.encryption, path) : null,
    via: heard && tunnel.proved && path.kind === "via" ? memberBetween(facts, path.id) : null,
    peer: reference(peer),
    rttMs: established ? roundMs(tunnel.rttMs) : null,
    mtu: established ? facts.mtu : null,
    error: established ? null : peerProblem(peer, tunnel, dial),
    retryAt: retryAt(facts, dial),
  };
}

function memberBetween({ roster }: ConnectionFacts, id: NodeId): { id: number; name: string } {
  const node = roster.peers.find(({ metadata }) => metadata.id === id);
  return node ? reference(node) : { id, name: `${id}` };
}

type Dialled = Pick<TargetView, "state" | "error" | "retryAtMs">;

/** How the search for a lost member goes: as a target, else as a node once met. */
function dialOf(facts: ConnectionFacts, name: string): Dialled | undefined {
  return [...facts.targets, ...(facts.knownPeers ?? [])]
    .filter(({ member, state }) => member === name && state !== "satisfied")
    .sort((a, b) => Number(a.error === undefined) - Number(b.error === undefined))[0];
}

function peerProblem(peer: RosterNode, tunnel: TunnelView, dial: Dialled | undefined): string {
  const { ports } = peer.metadata;
  if (!isHeard(peer)) {
    const question = `not heard any more: is the host up, and ${ports.gossip}/tcp and udp open?`;
    return dial?.error ?? question;
  }
  if (peer.member.state === "suspect") return "does not answer, others are asked";
  if (tunnel.smallOnly)
    return "small packets pass the tunnel, full-size ones do not: check the MTU between the hosts";
  return `no answer through the tunnel yet: is ${ports.overlay}/udp open on both hosts?`;
}

function targetRow(facts: ConnectionFacts, target: TargetView): Connection {
  const parsed = parseTarget(target.target);
  const address = parsed
    ? formatEndpoint({ ip: parsed.host, port: parsed.port || facts.node.ports.gossip })
    : target.target;
  const row = { ...UNKNOWN, address, direction: "outbound" } as const;
  const refused = refusedMember(facts, target);
  if (refused !== undefined) return { ...row, state: "failed", error: refused };
  return {
    ...row,
    // Satisfied and without a peer's row: the member has just gone.
    state: target.state === "satisfied" ? "connecting" : target.state,
    error: target.error ?? null,
    retryAt: retryAt(facts, target),
  };
}

/** Why the member that answered at the target is given no connection; undefined when that is not so. */
function refusedMember(
  { roster, node }: ConnectionFacts,
  { state, member: name }: TargetView,
): string | undefined {
  if (state !== "satisfied") return undefined;
  if (roster.usurper?.member.name === name)
    return `the node there has this node's id ${node.id} too: cloned disk?`;
  const twin = roster.twins.find(({ member }) => member.name === name);
  if (twin) return `the node there lost its id ${twin.metadata.id} to another: cloned disk?`;
  const gone = roster.departed.find(({ member }) => member.name === name);
  if (gone) return `node ${gone.metadata.id} there is gone for good: reset it and launch it again`;
  const foreign = roster.foreign.find((member) => member.name === name);
  if (!foreign) return undefined;
  const metadata = decodeMetadata(foreign.meta);
  return (
    (metadata && differenceOf(roster.self.metadata, metadata)) ??
    "what answers there speaks the protocol but is no node of hansa"
  );
}

/** A node launched otherwise than we that came by itself: the row of one that we dialled is its target's. */
function differentRows({ roster, targets, hasDialled }: ConnectionFacts): Connection[] {
  const dialled = new Set(targets.map(({ member }) => member));
  return differentNodes(roster)
    .filter(({ node }) => !dialled.has(node.member.name))
    .map(({ node: { member }, why }) => ({
      ...UNKNOWN,
      address: formatEndpoint(member.endpoint),
      direction: hasDialled(member.endpoint.ip) ? "outbound" : "inbound",
      state: "failed",
      error: why,
    }));
}

function rejectionRow({ ip, port }: Rejection): Connection {
  return {
    ...UNKNOWN,
    address: formatEndpoint({ ip, port }),
    direction: "inbound",
    state: "failed",
    error: AUTHENTICATION_FAILED,
  };
}

function retryAt(facts: ConnectionFacts, dial: Dialled | undefined): string | null {
  return dial?.retryAtMs === undefined ? null : facts.wallTime(dial.retryAtMs).toISOString();
}

function roundMs(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 100) / 100;
}
