/** What is wrong with a node though it runs: a sentence each with its code and what to do. Pure. */
import type { Status } from "../../api/status-schema.ts";
import { ERRORS, type ErrorCode } from "../../errors.ts";
import type { Departure } from "../../membership/departures.ts";
import type { Endpoint } from "../../values/endpoint.ts";
import type { NodeId } from "../../values/node-id.ts";
import { differentNodes } from "../membership/foreign-node.ts";
import type { Roster, RosterNode } from "../membership/roster.ts";

export interface WarningFacts {
  readonly id: NodeId;
  readonly roster: Roster;
  /** Where another host runs with this node's key. */
  readonly rival?: { readonly at: Endpoint; readonly hasYielded: boolean } | undefined;
  /** Address records that contradicted ours since the start. */
  readonly conflicts: number;
  readonly pluginConnected: boolean;
  /** Sentences of the loops, with `CODE: ` before them where they have one. */
  readonly problems: readonly (string | undefined)[];
}

type Warning = Status["warnings"][number];

export function nodeWarnings(facts: WarningFacts): Warning[] {
  const { roster, conflicts } = facts;
  const warnings: Warning[] = [];
  if (roster.usurper) {
    const at = place(roster.usurper);
    const text = `another node (${at}) has the id ${facts.id}: cloned disk? This node gives no addresses`;
    warnings.push(warning("NODE_TWIN", text));
  }
  for (const twin of roster.twins.filter((node) => node !== roster.self)) {
    const text = `a second node (${place(twin)}) has the id ${twin.metadata.id}: cloned disk?`;
    warnings.push(warning("NODE_TWIN", text));
  }
  if (facts.rival) {
    const who = `another host (${facts.rival.at.ip}) runs with this node's own key: cloned disk?`;
    const text = facts.rival.hasYielded ? `${who} This node gives no addresses` : who;
    warnings.push(warning("NODE_TWIN", text));
  }
  warnings.push(...engineWarnings(roster));
  for (const { node, why } of differentNodes(roster)) {
    const text = `${why} (${place(node)}); until then neither gives the other anything`;
    warnings.push(warning("CLUSTER_DIFFERS", text));
  }
  if (roster.expelled) {
    warnings.push(warning("NODE_DEPARTED", expelledSentence(roster.expelled)));
  }
  for (const gone of roster.departed) {
    const text = `node ${gone.metadata.id} (${place(gone)}) is gone for good and runs all the same: it is given nothing`;
    warnings.push(warning("NODE_DEPARTED", text));
  }
  // The records of a node that is gone for good contradict those of its heir: nothing that it could mend.
  if (conflicts > 0 && roster.expelled === undefined) {
    const records =
      conflicts === 1
        ? "an address record of another node"
        : `${conflicts} address records of other nodes`;
    const text = `${records} contradicted this node's`;
    warnings.push(warning("IPAM_ADDRESS_TWICE", text));
  }
  if (!facts.pluginConnected) {
    warnings.push(warning("IPAM_PLUGIN_UNREACHABLE", "the address plugin does not answer"));
  }
  for (const problem of facts.problems) if (problem !== undefined) warnings.push(coded(problem));
  return warnings;
}

/** Machines that were cloned after Docker had started on the first of them. */
function engineWarnings({ self, peers, twins }: Roster): Warning[] {
  const nodes = [self, ...peers, ...twins.filter((node) => node !== self)];
  const byEngine = Map.groupBy(
    nodes.filter(({ metadata }) => metadata.engineId !== ""),
    ({ metadata }) => metadata.engineId,
  );
  return [...byEngine.values()]
    .filter((same) => same.length > 1)
    .map((same) => {
      const places = same.map(place).join(" and ");
      return warning("DOCKER_ID_TWICE", `${places} have one Docker Engine ID: cloned machine?`);
    });
}

/** What is said to a node that is gone for good by the cluster's records. */
export function expelledSentence({ cause }: Pick<Departure, "cause">): string {
  return cause === "left"
    ? "this node has left the cluster: it gives no addresses, and others have closed their tunnels to it"
    : "this node's addresses were taken over while it was away: it gives none, and others have closed their tunnels to it";
}

function place({ member, metadata }: RosterNode): string {
  return `${metadata.name}, ${member.endpoint.ip}`;
}

function coded(problem: string): Warning {
  const [, code = "", text = problem] = /^([A-Z_]+): (.*)$/s.exec(problem) ?? [];
  return Object.hasOwn(ERRORS, code)
    ? warning(code as ErrorCode, text)
    : warning("INTERNAL", problem);
}

function warning(code: ErrorCode, message: string): Warning {
  return { code, message, hint: ERRORS[code].hint };
}
