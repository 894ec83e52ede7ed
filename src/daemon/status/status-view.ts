/**
 * What the node knows, as the document of `GET /v1/status`. Pure: all facts come in, with the time that they hold for.
 */
import type { IpamEntry, Link, Peer, PeerConnection, Status } from "../../api/status-schema.ts";
import type { AddressesView } from "../../ipam/addresses.ts";
import type { LinkView } from "../../links/link-paths.ts";
import { type ConnectionRow, mesh } from "../../membership/connection-rows.ts";
import { type Endpoint, formatEndpoint } from "../../values/endpoint.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { RememberedNode } from "../membership/membership-file.ts";
import { isHeard, type RosterNode } from "../membership/roster.ts";
import {
  type ConnectionFacts,
  connectionsOf,
  reference,
  unheardAddress,
  unheardNodes,
} from "./connection-view.ts";

export interface StatusFacts extends ConnectionFacts {
  readonly version: string;
  readonly endpoint: Endpoint;
  readonly engineId: string | undefined;
  readonly remembered: readonly RememberedNode[];
  readonly rows: ReadonlyMap<string, ConnectionRow>;
  readonly addresses: AddressesView;
  /** The links in common with a peer. */
  readonly links: (peer: NodeId) => readonly LinkView[];
  readonly dns: Status["dns"];
  readonly warnings: Status["warnings"];
}

export function statusOf(facts: StatusFacts): Status {
  const { node, addresses } = facts;
  return {
    cluster: { name: node.cluster, subnet: node.subnet, encryption: node.encryption },
    node: {
      id: node.id,
      name: node.name,
      engineId: facts.engineId ?? null,
      address: formatEndpoint(facts.endpoint),
      version: facts.version,
    },
    targets: facts.targets.map(({ target }) => target),
    peers: peersOf(facts),
    connections: connectionsOf(facts),
    links: facts.roster.peers.flatMap((peer) =>
      facts.links(peer.metadata.id).map((link) => linkOf(peer, link)),
    ),
    ipam: {
      subnet: addresses.subnet,
      range: addresses.range,
      ready: addresses.ready,
      entries: addresses.entries
        .filter(({ addresses: count, id }) => count > 0 || id === node.id)
        .map((entry) => entryOf(facts, entry)),
    },
    dns: facts.dns,
    warnings: facts.warnings,
  };
}

function peersOf(facts: StatusFacts): Peer[] {
  const { roster } = facts;
  // Who took our id is nobody's peer, but the user shall find it.
  const nodes = [roster.self, ...(roster.usurper ? [roster.usurper] : []), ...roster.peers];
  const edges = mesh(facts.rows.values());
  const byName = new Map(nodes.map((node) => [node.member.name, node]));
  const listed = nodes.map(
    (node): Peer => ({
      ...reference(node),
      address: formatEndpoint(node.member.endpoint),
      state: node === roster.self && roster.usurper ? "twin" : node.member.state,
      version: node.metadata.version,
      connections: edges.flatMap((edge): PeerConnection[] => {
        const name = node.member.name;
        const other = edge.from === name ? edge.to : edge.to === name ? edge.from : undefined;
        const there = other === undefined ? undefined : byName.get(other);
        if (!there) return [];
        return [
          {
            address: formatEndpoint(there.member.endpoint),
            direction:
              node === roster.self && !facts.hasDialled(there.member.endpoint.ip)
                ? "inbound"
                : "outbound",
            state: edge.state,
            peer: reference(there),
          },
        ];
      }),
    }),
  );
  const twins = roster.twins
    .filter((node) => node !== roster.self)
    .map(
      (node): Peer => ({
        ...reference(node),
        address: formatEndpoint(node.member.endpoint),
        state: "twin",
        version: node.metadata.version,
        connections: [],
      }),
    );
  const foreign = roster.foreign.map(
    (member): Peer => ({
      id: 0,
      name: member.name,
      address: formatEndpoint(member.endpoint),
      state: "foreign",
      version: null,
      connections: [],
    }),
  );
  const unheard = unheardNodes(facts).map(
    (node): Peer => ({
      id: node.id,
      name: node.name,
      address: unheardAddress(facts, node),
      state: "dead",
      version: null,
      connections: [],
    }),
  );
  return [...listed, ...unheard, ...twins, ...foreign];
}

function linkOf(
  peer: RosterNode,
  { number, own, theirs, priority, state, rttMs, inUse }: LinkView,
): Link {
  const rtt = rttMs === undefined ? null : Math.round(rttMs * 100) / 100;
  return {
    ...{ link: number, own, peer: reference(peer), address: theirs, priority },
    ...{ state, rttMs: rtt, inUse },
  };
}

function entryOf(facts: StatusFacts, entry: AddressesView["entries"][number]): IpamEntry {
  const { roster, node } = facts;
  const peer = roster.peers.find(({ metadata }) => metadata.id === entry.id);
  const name = entry.id === node.id ? node.name : peer?.metadata.name;
  return {
    id: entry.id,
    name: name ?? facts.remembered.find(({ id }) => id === entry.id)?.name ?? null,
    addresses: entry.addresses,
    percent: Math.round(entry.percent * 10) / 10,
    active: entry.active ?? null,
    reachable: entry.id === node.id || (peer !== undefined && isHeard(peer)),
  };
}
