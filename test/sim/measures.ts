/**
 * What is measured in simulations: how soon a kill is known, who is held dead that lives, what it costs, how soon a cluster converges.
 *
 * Each measure is one run of one seed and returns numbers only; tables and pictures are made of them elsewhere.
 */
import type { MembershipTiming } from "../../src/membership/timing.ts";
import { FalseDeaths } from "./false-deaths.ts";
import type { Link } from "./link.ts";
import { SimulatedNetwork } from "./network.ts";

export interface Circumstances {
  readonly members: number;
  readonly seed: number;
  readonly link?: Partial<Link>;
  /** Share of members that are starved all the time. */
  readonly starved?: number;
  /** How long those stand still at a time, instead of STARVED_STILL_MS. */
  readonly stillMs?: readonly [number, number];
  readonly timing?: Partial<MembershipTiming>;
}

/**
 * A starved member stands still for so long, and runs for so long in between. The longest is below the 3.1 s that an inquest of three rounds takes: that nobody
 * dies of it holds by construction. What longer ones do is measured with LONG_STILL_MS.
 */
export const STARVED_STILL_MS: readonly [number, number] = [200, 3_000];
export const LONG_STILL_MS: readonly [number, number] = [200, 6_000];
export const STARVED_RUN_MS: readonly [number, number] = [20, 200];

const SETTLE_MS = 5_000;
const DETECTION_LIMIT_MS = 180_000;

/** A cluster that has met, in which the last `starved` share never gets enough processor time. */
export function cluster({ members, seed, link, starved = 0, stillMs, timing }: Circumstances) {
  const network = new SimulatedNetwork({
    seed,
    forgetEvents: true,
    ...(link && { link }),
    ...(timing && { timing }),
  });
  const all = network.addConverged(members);
  const slow = all.slice(members - Math.round(members * starved));
  for (const member of slow) network.starve(member, stillMs ?? STARVED_STILL_MS, STARVED_RUN_MS);
  network.run(SETTLE_MS);
  return { network, all, slow };
}

export interface Detection {
  /** From the kill until the first and the last member hold the dead one dead. */
  readonly firstMs: number;
  readonly allMs: number;
  readonly falseDeaths: number;
}

/** Kills a healthy member. */
export function measureDetection(circumstances: Circumstances): Detection {
  const { network, all } = cluster(circumstances);
  const falseDeaths = new FalseDeaths(network);
  const victim = all[0]!;
  network.run(network.random() * 1_000);
  network.kill(victim);
  const killedMs = network.nowMs;
  const unaware = () => network.beliefs.holding(victim.name, ["alive", "suspect"]);
  const everybody = unaware();
  let firstMs = Number.NaN;
  let [seen, left] = [network.beliefs.ghosts, everybody];
  network.run(DETECTION_LIMIT_MS, () => {
    if (network.beliefs.ghosts === seen) return false;
    seen = network.beliefs.ghosts;
    left = unaware();
    if (left < everybody && Number.isNaN(firstMs)) firstMs = network.nowMs - killedMs;
    return left === 0;
  });
  const allMs = left === 0 ? network.nowMs - killedMs : Number.NaN;
  return { firstMs, allMs, falseDeaths: falseDeaths.ofHealthy.size };
}

export interface Calm {
  readonly falseDeaths: number;
  readonly falseDeathsOfStarved: number;
  readonly packetsPerMemberSecond: number;
  readonly bytesPerMemberSecond: number;
  /** Push/pull bytes, per member and second. */
  readonly streamBytesPerMemberSecond: number;
}

/** Nothing happens for `forMs`. */
export function measureCalm(circumstances: Circumstances, forMs: number): Calm {
  const { network, slow } = cluster(circumstances);
  const deaths = new FalseDeaths(network);
  for (const { name } of slow) deaths.impaired.add(name);
  const [packets, bytes, streams] = [network.packets, network.bytes, network.streamBytes];
  network.run(forMs);
  const memberSeconds = (circumstances.members * forMs) / 1_000;
  return {
    falseDeaths: deaths.ofHealthy.size,
    falseDeathsOfStarved: deaths.ofImpaired.size,
    packetsPerMemberSecond: (network.packets - packets) / memberSeconds,
    bytesPerMemberSecond: (network.bytes - bytes) / memberSeconds,
    streamBytesPerMemberSecond: (network.streamBytes - streams) / memberSeconds,
  };
}

/** Whether a member that stands still once for `pauseMs` is held dead by anybody. */
export function measurePause(circumstances: Circumstances, pauseMs: number): boolean {
  const { network, all } = cluster(circumstances);
  const deaths = new FalseDeaths(network);
  network.run(network.random() * 1_000);
  network.standStill(all[0]!, pauseMs);
  network.run(pauseMs + 10_000);
  return deaths.ofHealthy.size > 0;
}

/** How long `members` strangers that all join the first one take until all hold each other alive; NaN after five minutes. */
export function measureJoin({ members, seed, link, timing }: Circumstances): number {
  const network = new SimulatedNetwork({
    seed,
    forgetEvents: true,
    ...(link && { link }),
    ...(timing && { timing }),
  });
  const all = Array.from({ length: members }, (_, index) => network.add(`n${index + 1}`));
  for (const member of all) network.feed(member, { type: "tick" });
  for (const member of all.slice(1)) network.sync(member, all[0]!.endpoint);
  return network.run(300_000, () => network.isWhole()) ? network.nowMs : Number.NaN;
}
