/** Targets that lead to no node: without them a node that never reached anybody has no peers, and so no paths to find fault with. */
import type { TargetFacts } from "../facts.ts";
import { finding } from "../finding.ts";
import { peersCheck } from "./check.ts";

export const targets = peersCheck("targets lead to nodes", ({ targets, peers }) => {
  // Who reaches nobody is no part of any cluster.
  const severity = peers.some(({ isHeard }) => isHeard) ? "warning" : "error";
  return targets.map((each) =>
    finding("DOCTOR_TARGET_UNREACHED", `the target ${each.target} is not connected: ${each.why}`, {
      ...{ severity, mend: mendOf(each) },
    }),
  );
});

function mendOf({ target, cause }: TargetFacts): string {
  const drop = `hansa forget ${target}`;
  switch (cause) {
    case "authentication":
      return "reset the host of the two that has the wrong token or cluster name, and launch it with the right one: hansa reset, then hansa launch --token-file FILE";
    case "name":
      return `give the name an address (/etc/hosts or DNS), or use the address itself: ${drop}, then hansa connect ADDRESS`;
    case "path":
      return `see whether that host is up and hansa runs there, and open the ports that are named; if it is not wanted any more: ${drop}`;
  }
}
