/**
 * Which voter's etcd is started anew next, so that all come to have the same times. Pure.
 *
 * Invariants: one at a time, and only while every voter answers, follows and has the log, so that a majority stays whatever it does; the one that leads comes
 * last, because it hands over when it ends. Nothing while a voter is about to get its vote.
 */
import { type EtcdTiming, isSameTiming } from "./store-times.ts";

export interface TimedVoter {
  readonly member: bigint;
  readonly leads: boolean;
  /** It answers, follows this leader, and has all of the log but what was added in the last moments. */
  readonly isReady: boolean;
  /** What its etcd runs with; undefined where nobody says, as a node of an earlier build. */
  readonly timing: EtcdTiming | undefined;
}

export interface TimesFacts {
  readonly voters: readonly TimedVoter[];
  readonly hasLearner: boolean;
  readonly wanted: EtcdTiming;
}

/** The voter to start anew with the wanted times; undefined: none, or it must wait. */
export function nextToRetime({ voters, hasLearner, wanted }: TimesFacts): TimedVoter | undefined {
  if (hasLearner || !voters.every(({ isReady, timing }) => isReady && timing)) return undefined;
  return [...voters]
    .sort((a, b) => Number(a.leads) - Number(b.leads) || (a.member < b.member ? -1 : 1))
    .find(({ timing }) => timing && !isSameTiming(timing, wanted));
}
