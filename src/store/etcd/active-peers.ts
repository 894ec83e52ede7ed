/** With which other members an etcd has a connection, as its metrics tell. Pure. */

const GAUGE = /^etcd_network_active_peers\{Local="[0-9a-f]{1,16}",Remote="([0-9a-f]{1,16})"\} 1$/gm;

/** Their ids. */
export function activePeers(metrics: string): ReadonlySet<bigint> {
  return new Set([...metrics.matchAll(GAUGE)].map(([, id]) => BigInt(`0x${id}`)));
}
