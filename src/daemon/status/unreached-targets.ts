/** The targets that lead nowhere, as the doctor looks at them. Pure. */
import type { TargetFacts } from "../../doctor/facts.ts";
import { CANNOT_CONNECT_TO_OURSELF, type TargetView } from "../../membership/dialer.ts";
import { parseTarget } from "../../values/endpoint.ts";
import { nameProblem } from "../membership/dial-loop.ts";
import { AUTHENTICATION_FAILED } from "../membership/rejections.ts";
import type { Roster } from "../membership/roster.ts";

/** The second begins about a second after the first one failed: until then the other host may just be starting. */
const ATTEMPTS = 2;

/** Not those that are this node, that are tried for the first time, or that led to a peer: paths to it are examined as such. */
export function unreachedTargets(
  targets: readonly TargetView[],
  { peers }: Pick<Roster, "peers">,
): TargetFacts[] {
  const listed = new Set(
    peers.filter(({ member }) => member.state !== "left").map(({ member }) => member.name),
  );
  return targets.flatMap(({ target, state, error, attempts, member }): TargetFacts[] => {
    if (state === "satisfied" || error === undefined) return [];
    if (error === CANNOT_CONNECT_TO_OURSELF) return [];
    if (state !== "failed" && attempts < ATTEMPTS) return [];
    if (member !== undefined && listed.has(member)) return [];
    return [{ target, why: error, cause: causeOf(target, error) }];
  });
}

function causeOf(target: string, error: string): TargetFacts["cause"] {
  if (error === AUTHENTICATION_FAILED) return "authentication";
  const host = parseTarget(target)?.host;
  return host === undefined || error === nameProblem(host) ? "name" : "path";
}
