/**
 * What a node knows about itself and its cluster: the document of `GET /v1/status` and of `hansa status -o json`.
 *
 * Fields are never left out: what is not known is null. Fields may be added within /v1, none is removed or changes meaning.
 */
import * as z from "zod";

const nodeRef = z
  .object({ id: z.number().int().min(0), name: z.string() })
  .describe("a node by numeric id and name");

export const CONNECTION_STATES = [
  "established",
  "pending",
  "connecting",
  "retrying",
  "failed",
] as const;

export const connectionSchema = z
  .object({
    address: z.string().describe("IP and port, or the target as given when it does not resolve"),
    direction: z.enum(["outbound", "inbound"]).describe("who made the first contact"),
    state: z
      .enum(CONNECTION_STATES)
      .describe("established: gossip both ways and a tunnel proved by traffic"),
    encrypted: z.boolean(),
    backend: z
      .enum(["wireguard", "vxlan", "relay"])
      .nullable()
      .describe("what carries containers' packets; null before there is a tunnel"),
    via: nodeRef
      .nullable()
      .describe(
        "the member that a relayed connection goes through; null when none does: a relay without one is a TCP stream to the peer",
      ),
    peer: nodeRef.nullable().describe("null while it is not known who answers there"),
    rttMs: z.number().min(0).nullable(),
    mtu: z.number().int().positive().nullable(),
    error: z.string().nullable().describe("why the last attempt failed"),
    retryAt: z.iso
      .datetime()
      .nullable()
      .describe("when the next attempt is due; null when there is none"),
  })
  .describe("a connection or an attempt at one, as this node sees it");

export const peerConnectionSchema = z
  .object({
    address: z.string(),
    direction: z.enum(["outbound", "inbound"]),
    state: z.enum(CONNECTION_STATES),
    peer: nodeRef.nullable(),
  })
  .describe("a connection as the peer itself reports it");

export const LINK_STATES = ["up", "down", "unknown"] as const;

export const linkSchema = z
  .object({
    link: z.number().int().min(0).max(7).describe("its number, the same network on all nodes"),
    own: z.string().describe("this node's address on it"),
    peer: nodeRef,
    address: z.string().describe("the peer's address on it"),
    priority: z
      .number()
      .int()
      .min(0)
      .max(255)
      .describe("the higher of both ends' counts; the highest that is up is used"),
    state: z
      .enum(LINK_STATES)
      .describe("up: probes pass both ways; unknown: there is no other link, so nothing is probed"),
    rttMs: z.number().min(0).nullable(),
    inUse: z.boolean().describe("gossip and tunnel to this peer go this way"),
  })
  .describe("a link that this node has in common with a peer");

export const PEER_STATES = ["alive", "suspect", "dead", "left", "foreign", "twin"] as const;

export const peerSchema = z.object({
  id: z.number().int().min(0).describe("0 for a foreign member, which has none"),
  name: z.string(),
  address: z.string().describe("IP and port of its gossip"),
  state: z
    .enum(PEER_STATES)
    .describe("foreign: speaks the protocol, is no node of hansa; twin: lost its id to another"),
  version: z.string().nullable().describe("the build that it runs; null for a foreign member"),
  connections: z.array(peerConnectionSchema),
});

export const ipamEntrySchema = z.object({
  id: z.number().int().positive(),
  name: z.string().nullable().describe("null when the node was never met"),
  addresses: z.number().int().min(0).describe("how many it owns of the dynamic range"),
  percent: z.number().min(0).max(100),
  active: z.number().int().min(0).nullable().describe("addresses in use; known for this node only"),
  reachable: z.boolean(),
});

export const dnsEntrySchema = z.object({
  hostname: z.string().describe("the whole name, without the root's dot"),
  address: z.string(),
  containerId: z.string().nullable().describe("its first 12 digits; null for a node's own name"),
  node: nodeRef.describe("the node that has it or runs the container"),
});

export const statusSchema = z.object({
  cluster: z.object({
    name: z.string(),
    subnet: z.string(),
    encryption: z.enum(["wireguard", "none"]),
  }),
  node: z.object({
    id: z.number().int().positive(),
    name: z.string(),
    engineId: z.string().nullable().describe("Docker's engine id; null while Docker is down"),
    address: z.string().nullable().describe("the address that peers reach this node at"),
    version: z.string(),
  }),
  targets: z.array(z.string()).describe("exactly as they were given, sorted"),
  peers: z.array(peerSchema).describe("all known nodes, this one first"),
  connections: z.array(connectionSchema),
  links: z.array(linkSchema).describe("links in common with each peer, as this node sees them"),
  ipam: z.object({
    subnet: z.string(),
    range: z.string().describe("the dynamic part of the subnet"),
    ready: z.boolean().describe("this node can give out an address now"),
    entries: z.array(ipamEntrySchema).describe("owners of the dynamic range, this node first"),
  }),
  dns: z.object({
    domain: z.string().describe("the zone that this node answers for"),
    address: z.string().describe("where it does, on port 53"),
    ttl: z.number().int().describe("seconds that an answer may be kept"),
    ready: z.boolean().describe("all ports are served"),
    entries: z.array(dnsEntrySchema).describe("names of nodes and containers in reach, sorted"),
  }),
  warnings: z.array(z.object({ code: z.string(), message: z.string(), hint: z.string() })),
});

export type Status = z.infer<typeof statusSchema>;
export type Connection = z.infer<typeof connectionSchema>;
export type ConnectionState = (typeof CONNECTION_STATES)[number];
export type Link = z.infer<typeof linkSchema>;
export type LinkState = (typeof LINK_STATES)[number];
export type Peer = z.infer<typeof peerSchema>;
export type PeerConnection = z.infer<typeof peerConnectionSchema>;
export type PeerState = (typeof PEER_STATES)[number];
export type DnsEntry = z.infer<typeof dnsEntrySchema>;
export type IpamEntry = z.infer<typeof ipamEntrySchema>;
