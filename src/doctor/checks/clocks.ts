/** The host's clock is kept, and goes like those of the peers. */
import { finding } from "../finding.ts";
import { hostCheck, nodeCheck } from "./check.ts";

const SKEW_MS = 1000;

export const clockKept = hostCheck("the clock is kept", ({ clock }) => {
  if (!clock.isOurs) return { skipped: "the clock is another's to keep: this is a container" };
  if (clock.isSynchronised === undefined) return { skipped: "nobody can tell" };
  if (clock.isSynchronised) return [];
  return [finding("DOCTOR_CLOCK_UNSYNCED", `the clock is not synchronised, says ${clock.by}`)];
});

export const clockSkew = nodeCheck("the clocks agree", ({ peers }) =>
  peers.flatMap(({ id, name, clock }) => {
    // What the exchange took may have gone all one way.
    if (clock === undefined || Math.abs(clock.skewMs) - clock.rttMs / 2 <= SKEW_MS) return [];
    const ahead = clock.skewMs > 0 ? "ahead of" : "behind";
    const amount = (Math.abs(clock.skewMs) / 1000).toFixed(1);
    const margin = (clock.rttMs / 2).toFixed(1);
    const evidence = `the clock of node ${id} (${name}) is ${amount} s ${ahead} this one's (± ${margin} ms)`;
    return [finding("DOCTOR_CLOCK_SKEW", evidence)];
  }),
);
