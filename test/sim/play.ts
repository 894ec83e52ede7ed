/** Plays one scenario with one seed, under all invariants, and says how it went; what breaks a property throws with the line that repeats it. */
import type { MembershipTiming } from "../../src/membership/timing.ts";
import { FalseDeaths } from "./false-deaths.ts";
import { auditBeliefs, auditHoldings, watchInvariants } from "./invariants.ts";
import type { SimulatedMember } from "./member.ts";
import { SimulatedNetwork } from "./network.ts";
import { aFew, SCENARIOS } from "./scenarios.ts";

export interface Play {
  readonly scenario: string;
  readonly members: number;
  readonly seed: number;
  /** Instead of the scenario's own. */
  readonly loss?: number | undefined;
  readonly timing?: Partial<MembershipTiming>;
}

export interface Outcome {
  /** Virtual time from the end of the script until all agreed. */
  readonly settledMs: number;
  readonly virtualMs: number;
  readonly falseDeaths: number;
  readonly falseDeathsOfImpaired: number;
  readonly packetsPerMemberSecond: number;
  readonly bytesPerMemberSecond: number;
  readonly inputs: number;
}

/** Beyond 256 members all may take so many times as long: news needs more hops, and shares packets with more other news. */
const LARGE_MULT = 3;
/** After all agree nothing may change any more for so long. */
const QUIET_MS = 60_000;

/** Throws Error, naming seed and command line, when a property is broken. */
export function play(request: Play): Outcome {
  try {
    return perform(request);
  } catch (error) {
    throw new Error(`${(error as Error).message}; repeat it with: ${commandLine(request)}`, {
      cause: error,
    });
  }
}

/** How a person repeats it. */
export function commandLine({ scenario, members, seed, loss }: Play): string {
  const extra = loss === undefined ? "" : ` --loss ${loss}`;
  return `npm run simulate -- --scenario ${scenario} --members ${members} --seed ${seed}${extra}`;
}

function perform({ scenario: name, members: count, seed, loss, timing }: Play): Outcome {
  const scenario = SCENARIOS[name];
  if (scenario === undefined) throw new RangeError(`no scenario "${name}"`);
  const link = { ...scenario.link, ...(loss === undefined ? {} : { loss }) };
  const network = new SimulatedNetwork({ seed, link, timing: timing ?? {}, forgetEvents: true });
  watchInvariants(network);
  const members = scenario.fromNothing ? strangers(network, count) : network.addConverged(count);
  if (scenario.fromNothing === undefined) network.run(3_000);
  const deaths = new FalseDeaths(network);
  scenario.script({ network, members, few: aFew(network, members, fewOf(members)), deaths });
  network.mend();

  const endMs = network.nowMs;
  const settleMs = scenario.settleMs * (count > 256 ? LARGE_MULT : 1);
  if (!network.run(settleMs, () => network.isSettled())) {
    const { strangers, ghosts } = network.beliefs;
    throw new Error(
      `${settleMs / 1_000} s after the last change ${strangers} pairs of running members do not hold each other alive, and ${ghosts} times a stopped one is not held dead`,
    );
  }
  const settledMs = network.nowMs - endMs;
  if (count <= 1_000) {
    network.run(QUIET_MS);
    if (!network.isSettled()) throw new Error("all agreed, and then no more");
    auditBeliefs(network);
  }
  // With more members a lone seed has news for minutes.
  if (count <= 256) {
    auditHoldings(network);
  }
  if (scenario.noFalseDeaths && deaths.ofHealthy.size > 0) {
    throw new Error(`healthy members were held dead: ${[...deaths.ofHealthy].join(", ")}`);
  }
  const memberSeconds = (count * network.nowMs) / 1_000;
  return {
    settledMs,
    virtualMs: network.nowMs,
    falseDeaths: deaths.ofHealthy.size,
    falseDeathsOfImpaired: deaths.ofImpaired.size,
    packetsPerMemberSecond: network.packets / memberSeconds,
    bytesPerMemberSecond: network.bytes / memberSeconds,
    inputs: network.inputs,
  };
}

function strangers(network: SimulatedNetwork, count: number): SimulatedMember[] {
  const members = Array.from({ length: count }, (_, index) => network.add(`n${index + 1}`));
  for (const member of members) network.feed(member, { type: "tick" });
  return members;
}

/** A tenth of a small cluster; of a large one so many that news of all of them to all stays in bounds. */
function fewOf(members: readonly unknown[]): number {
  return Math.max(1, Math.floor(Math.min(members.length / 10, 100_000 / members.length)));
}
