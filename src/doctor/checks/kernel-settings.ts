/** Kernel settings that the daemon makes and something else may undo. */
import { finding } from "../finding.ts";
import { hostCheck } from "./check.ts";

/** What the daemon raises it to; see overlay/sysctl-plan.ts. */
const WANTED_NEIGHBOURS = 65_536;

export const neighbours = hostCheck("the table of neighbours", ({ gcThresh3, launched }) => {
  if (launched === undefined) return { skipped: "a launch raises it" };
  if (gcThresh3 === undefined) return { skipped: "it is the machine's, and not shown here" };
  if (gcThresh3 >= WANTED_NEIGHBOURS) return [];
  const evidence = `net.ipv4.neigh.default.gc_thresh3 is ${gcThresh3}, less than ${WANTED_NEIGHBOURS}`;
  return [finding("DOCTOR_NEIGHBOUR_TABLE_SMALL", evidence)];
});

export const forwarding = hostCheck("packets are forwarded", ({ ipForward, launched }) => {
  if (launched === undefined) return { skipped: "a launch turns it on" };
  if (ipForward === undefined || ipForward !== 0) return [];
  return [finding("DOCTOR_FORWARDING_OFF", "net.ipv4.ip_forward is 0")];
});
