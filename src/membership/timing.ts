/**
 * The timings of the membership protocol and the formulas over them.
 *
 * Defaults are memberlist's LAN defaults, so that a mixed cluster agrees on who is late. `n` below is the number of
 * members that are alive or suspect, ourselves included.
 */

export interface MembershipTiming {
  /**
   * One member is probed per interval, each once in n-1 intervals. Detection takes about one interval (some member probes the victim)
   * plus the suspicion. Cost: one ping and one ack per interval and member. Multiplied by the awareness score + 1 when we are slow.
   */
  readonly probeIntervalMs: number;
  /**
   * A direct ping unanswered for so long is followed by indirect pings and a stream ping; must be below the interval. With round trips measured
   * it is shorter (see round-trips.ts), but not below the floor: lower finds out sooner, and costs packets for each hiccup of a member.
   */
  readonly probeTimeoutMs: number;
  readonly probeTimeoutFloorMs: number;
  /** Members asked to ping on our behalf. Cost: that many packets for each unanswered ping; more survive more loss. */
  readonly indirectChecks: number;
  /** Time between two rounds of gossip, on average; nothing is sent when there is nothing to tell. */
  readonly gossipIntervalMs: number;
  /** Members told in one round. Cost: that many packets per interval while there is something to tell. */
  readonly gossipNodes: number;
  /**
   * Rounds that may go out at once after a quiet time, so that news need not wait for the interval. The rate over any longer time
   * stays one round per interval: round i of a burst is paid back by the quiet before it.
   */
  readonly gossipBurst: number;
  /** Each piece of news is sent `retransmitMult * ceil(log10(n + 1))` times. Higher survives more loss, costs bytes. */
  readonly retransmitMult: number;
  /** Shortest suspicion: `suspicionMult * max(1, log10 n) * probeInterval`. Also asks for `suspicionMult - 2` confirmers. */
  readonly suspicionMult: number;
  /** Longest suspicion (no confirmer): that many times the shortest. Higher protects against one slow accuser. */
  readonly suspicionMaxTimeoutMult: number;
  /**
   * Rounds in which who suspects a member by its own failed probe looks again, before it holds it dead without waiting for the suspicion's time
   * (see inquest.ts). A member that stands still for less than the probe interval plus all rounds is never held dead by it. Cost: 1 +
   * indirectChecks packets and their answers a round. 0: memberlist's rule.
   */
  readonly inquestRounds: number;
  /** So many rounds more among up to 32 members, where memberlist's rule is not much slower, and patience costs little. */
  readonly inquestExtraRounds: number;
  /** Who came back from the dead is spared inquests for so long: most of them only stood still, and will again. */
  readonly returnedMs: number;
  /**
   * Among more members than this a failed probe is told to nobody, the suspect included, before its inquest is over: most suspects answer by then, and
   * an accusation and its refutation cost every member two retransmit limits of messages. What is lost is the way by which a suspect refutes that neither
   * the accuser nor any of the relays hears.
   */
  readonly discreetAbove: number;
  /** One round; above the probe timeout, so that relays can say no within it. */
  readonly inquestRoundMs: number;
  /**
   * Whoever holds a member suspect for so long missed how it ended, and asks two others; again after each such time. Cost: two packets and
   * their answers, only for those few. 0: never, as memberlist.
   */
  readonly doubtMs: number;
  /** The awareness score stays below this; a score s makes our probes s + 1 times slower. */
  readonly awarenessMax: number;
  /** Whole states are exchanged with a random member: every interval up to 32 members, then scaled by log2(n / 32) + 1. */
  readonly pushPullIntervalMs: number;
  /**
   * Whoever saw the cluster grow by more than an eighth since its last push/pull begins one more after 0.5 to 1.5 times this. Cost: a few
   * push/pulls for each joiner.
   */
  readonly growthSyncMs: number;
  /** A member just held dead is still told the news for so long, so that it learns of its death and refutes. */
  readonly gossipToTheDeadMs: number;
  /**
   * One member held dead is pinged per interval for ever, so that a mended link heals. Cost: one packet per interval, and a push/pull when it answers. Longer among
   * more than 256 members, so that all together ping the dead no more often than those.
   */
  readonly deadProbeIntervalMs: number;
  /** A member that left is forgotten after so long. A dead one is never forgotten. */
  readonly leftRetentionMs: number;
  /** At most one accusation per member and interval is sent in answer to a stale alive. */
  readonly accuseIntervalMs: number;
}

/**
 * memberlist's DefaultLANConfig. Ours are the floor of the ping timeout, the burst, the inquest, doubtMs, growthSyncMs and the last three.
 */
export const LAN_TIMING: MembershipTiming = {
  probeIntervalMs: 1000,
  probeTimeoutMs: 500,
  probeTimeoutFloorMs: 200,
  indirectChecks: 3,
  gossipIntervalMs: 200,
  gossipNodes: 3,
  gossipBurst: 4,
  retransmitMult: 4,
  suspicionMult: 4,
  suspicionMaxTimeoutMult: 6,
  inquestRounds: 3,
  inquestExtraRounds: 2,
  returnedMs: 600_000,
  discreetAbove: 4_096,
  inquestRoundMs: 700,
  doubtMs: 3_000,
  awarenessMax: 8,
  pushPullIntervalMs: 30_000,
  growthSyncMs: 1_000,
  gossipToTheDeadMs: 30_000,
  deadProbeIntervalMs: 5_000,
  leftRetentionMs: 24 * 3_600_000,
  accuseIntervalMs: 1_000,
};

const PUSH_PULL_SCALE_FROM = 32;

/** Times a piece of news is sent among `n` members. */
export function retransmitLimit(timing: MembershipTiming, n: number): number {
  return timing.retransmitMult * Math.max(1, Math.ceil(Math.log10(n + 1)));
}

/** Shortest and longest time that a suspicion lasts among `n` members, and how many confirmers shorten it fully. */
export function suspicionBounds(
  timing: MembershipTiming,
  n: number,
): { readonly minMs: number; readonly maxMs: number; readonly confirmers: number } {
  const scale = Math.max(1, Math.log10(Math.max(1, n)));
  const minMs = timing.suspicionMult * scale * timing.probeIntervalMs;
  const wanted = Math.max(0, timing.suspicionMult - 2);
  // Without ourselves and the suspect there are n - 2 who could confirm.
  const confirmers = n - 2 < wanted ? 0 : wanted;
  return { minMs, maxMs: minMs * timing.suspicionMaxTimeoutMult, confirmers };
}

const FEW_MEMBERS = 32;

/** Rounds of an inquest among `n` members; none where nobody could confirm, and the suspicion takes its shortest time anyway. */
export function inquestRounds(timing: MembershipTiming, n: number): number {
  if (timing.inquestRounds < 1 || suspicionBounds(timing, n).confirmers < 1) return 0;
  return timing.inquestRounds + (n <= FEW_MEMBERS ? timing.inquestExtraRounds : 0);
}

const DEAD_PROBE_SCALE_FROM = 256;

/** Time between two pings of members held dead, by one of `n` members. */
export function deadProbeIntervalMs(timing: MembershipTiming, n: number): number {
  return timing.deadProbeIntervalMs * Math.max(1, n / DEAD_PROBE_SCALE_FROM);
}

/** Time between two push/pulls among `n` members: grows so that the whole cluster's stream traffic stays in bounds. */
export function pushPullIntervalMs(timing: MembershipTiming, n: number): number {
  if (n <= PUSH_PULL_SCALE_FROM) return timing.pushPullIntervalMs;
  const multiplier = Math.ceil(Math.log2(n) - Math.log2(PUSH_PULL_SCALE_FROM)) + 1;
  return multiplier * timing.pushPullIntervalMs;
}
