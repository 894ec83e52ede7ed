/** Our row of connections, as it is told to the other nodes. Pure. */
import type { RowConnection } from "../../membership/connection-rows.ts";
import type { NodeFile } from "../../processes/node-file.ts";
import type { Path } from "../../relay/relay-paths.ts";
import type { NodeId } from "../../values/node-id.ts";
import { isHeard, type Roster } from "../membership/roster.ts";
import { carrierOf } from "./carrier.ts";
import type { TunnelView } from "./tunnel-proof.ts";

export interface ConnectionSources {
  readonly encryption: NodeFile["encryption"];
  readonly mtu: number;
  readonly tunnel: (id: NodeId) => TunnelView;
  readonly path: (id: NodeId) => Path;
}

/** One for each peer that gossip hears, in the roster's order. */
export function ownConnections({ peers }: Roster, sources: ConnectionSources): RowConnection[] {
  return peers.filter(isHeard).map(({ metadata: { id, keyFingerprint } }): RowConnection => {
    const { proved, rttMs } = sources.tunnel(id);
    const path = sources.path(id);
    return {
      peer: id,
      keyFingerprint,
      state: proved ? "established" : "pending",
      rttMs,
      mtu: sources.mtu,
      backend: proved ? carrierOf(sources.encryption, path) : "none",
      ...(proved && path.kind === "via" && { via: path.id }),
    };
  });
}
