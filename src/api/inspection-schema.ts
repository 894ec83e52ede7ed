/**
 * The document of `GET /v1/inspect`: everything that a program written for the predecessor reads (Version, Router, IPAM, DNS),
 * with its names, and under `Hansa` our own status. What does not exist here has an empty or null value.
 */
import * as z from "zod";
import { statusSchema } from "./status-schema.ts";

const routerPeer = z.object({
  Name: z.string(),
  NickName: z.string(),
  UID: z.number(),
  ShortID: z.number(),
  Version: z.number(),
  Connections: z.array(
    z.object({
      Name: z.string(),
      NickName: z.string(),
      Address: z.string(),
      Outbound: z.boolean(),
      Established: z.boolean(),
    }),
  ),
});

export const inspectionSchema = z.object({
  Ready: z.boolean(),
  Version: z.string(),
  VersionCheck: z.null(),
  Router: z.object({
    Protocol: z.string(),
    ProtocolMinVersion: z.number().int(),
    ProtocolMaxVersion: z.number().int(),
    Encryption: z.boolean(),
    PeerDiscovery: z.boolean(),
    Name: z.string(),
    NickName: z.string(),
    Port: z.number().int(),
    Peers: z.array(routerPeer),
    UnicastRoutes: z.array(z.object({ Dest: z.string(), Via: z.string() })),
    BroadcastRoutes: z.array(z.object({ Source: z.string(), Via: z.array(z.string()) })),
    Connections: z.array(
      z.object({
        Address: z.string(),
        Outbound: z.boolean(),
        State: z.string(),
        Info: z.string(),
        Attrs: z.record(z.string(), z.unknown()),
      }),
    ),
    TerminationCount: z.number().int(),
    Targets: z.array(z.string()),
    OverlayDiagnostics: z.null(),
    TrustedSubnets: z.array(z.string()),
    Interface: z.string(),
    CaptureStats: z.null(),
    MACs: z.null(),
  }),
  IPAM: z.object({
    Paxos: z.null(),
    Range: z.string(),
    RangeNumIPs: z.number().int(),
    ActiveIPs: z.number().int(),
    DefaultSubnet: z.string(),
    Entries: z.array(
      z.object({
        Token: z.string(),
        Size: z.number().int(),
        Peer: z.string(),
        Nickname: z.string(),
        IsKnownPeer: z.boolean(),
        Version: z.number().int(),
      }),
    ),
    PendingClaims: z.null(),
    PendingAllocates: z.null(),
  }),
  DNS: z.object({
    Domain: z.string(),
    Upstream: z.array(z.string()),
    Address: z.string(),
    TTL: z.number().int(),
    Entries: z.array(
      z.object({
        Hostname: z.string(),
        Origin: z.string(),
        ContainerID: z.string(),
        Address: z.string(),
        Version: z.number().int(),
        Tombstone: z.number().int(),
      }),
    ),
  }),
  Hansa: statusSchema,
});

export type Inspection = z.infer<typeof inspectionSchema>;
