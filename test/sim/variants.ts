/** The rules for holding a member dead that are compared: memberlist's, ours, and those that were rejected. All are timings of the same core. */
import type { MembershipTiming } from "../../src/membership/timing.ts";

export interface Variant {
  readonly title: string;
  readonly timing: Partial<MembershipTiming>;
}

const MEMBERLIST: Partial<MembershipTiming> = {
  inquestRounds: 0,
  probeTimeoutFloorMs: 500,
  doubtMs: 0,
};

export const OURS: Variant = { title: "ours", timing: {} };

export const MEMBERLISTS: Variant = { title: "memberlist's rule", timing: MEMBERLIST };

/** Ours without what spares small clusters and hosts that stall again and again. */
export const IMPATIENT: Variant = {
  title: "3 rounds for all",
  timing: { inquestExtraRounds: 0, returnedMs: 0 },
};

export const VARIANTS: readonly Variant[] = [
  MEMBERLISTS,
  OURS,
  // A multiplier of 1.3 is what brings the shortest suspicion at 64 members to 2.3 s; below 3 no confirmers are asked for.
  { title: "shorter suspicion", timing: { ...MEMBERLIST, suspicionMult: 1.3 } },
  { title: "inquest of 1 round", timing: { inquestRounds: 1 } },
  { title: "inquest of 2 rounds", timing: { inquestRounds: 2 } },
  { title: "inquest of 4 rounds", timing: { inquestRounds: 4 } },
  { title: "inquest of 5 rounds", timing: { inquestRounds: 5 } },
  // What ours does above 4,096 members.
  { title: "ours, told after the inquest", timing: { discreetAbove: 0 } },
  { title: "ours, timeout always 500 ms", timing: { probeTimeoutFloorMs: 500 } },
  { title: "ours, doubt never asked", timing: { doubtMs: 0 } },
];
