/** What an etcd's metrics say of its leader. Unlike all else that it answers they wait for no disk. Pure. */

const GAUGE = /^etcd_server_(has|is)_leader ([01])$/gm;

export interface LeaderGauges {
  /** It knows of a leader, itself or another. */
  readonly hasLeader: boolean;
  readonly leads: boolean;
}

/** Of the text of etcd's metrics; what is not told is not so. */
export function leaderGauges(metrics: string): LeaderGauges {
  const told = new Map([...metrics.matchAll(GAUGE)].map(([, gauge, value]) => [gauge, value]));
  return { hasLeader: told.get("has") === "1", leads: told.get("is") === "1" };
}
