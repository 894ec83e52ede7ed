/**
 * What keeps a host from joining a cluster: all of it at once, from facts about the host, the cluster and the network between them. Pure.
 *
 * Invariant: what could harm the cluster (a name, an id or an address twice, another set of links) is never overridden; what may be meant so can be.
 */
import type { JoinInfo } from "../api/join-info-schemas.ts";
import type { NodeId } from "../values/node-id.ts";
import type { NodeLink } from "../values/node-link.ts";

export interface HostFacts {
  /** As which it wants to join. */
  readonly name: string;
  readonly id: NodeId | undefined;
  /** Those asked for; none: the address that is found. */
  readonly links: readonly NodeLink[];
  /** All of this host. */
  readonly addresses: readonly string[];
  /** Of the program: "0.1.0". */
  readonly version: string;
  /** The node that this host is already. */
  readonly node:
    | { readonly id: NodeId; readonly name: string; readonly cluster: string }
    | undefined;
  /** Names of containers on a network of ours that is left here. */
  readonly containers: readonly string[];
  /** What else the launch would refuse, one sentence each. */
  readonly refusals: readonly string[];
}

export interface ClusterFacts {
  readonly info: JoinInfo;
  /** This host's clock at the middle of the question, Unix milliseconds. */
  readonly askedAtMs: number;
}

export interface PathFact {
  /** The member's name. */
  readonly member: string;
  /** Of which link; absent where the host was given none. */
  readonly link?: number;
  readonly direction: "to-host" | "from-host";
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  readonly isOpen: boolean;
}

export interface JoinFacts {
  readonly host: HostFacts;
  /** Undefined: it could not be asked, for this reason. */
  readonly cluster: ClusterFacts | { readonly refused: string };
  readonly paths: readonly PathFact[];
}

export interface JoinProblem {
  readonly text: string;
  /** --force goes on in spite of it. */
  readonly isOverridable: boolean;
}

/** A store's elections and logs want clocks that agree; more is a sign of one that nobody keeps. */
export const MAX_CLOCK_MS = 5_000;

export function joinProblems({ host, cluster, paths }: JoinFacts): JoinProblem[] {
  const isRefused = "refused" in cluster;
  return [
    ...hostProblems(host),
    ...(isRefused ? [fatal(cluster.refused)] : clusterProblems(host, cluster)),
    ...paths.filter(({ isOpen }) => !isOpen).map((path) => overridable(pathText(path, host))),
  ];
}

function hostProblems({ node, containers, links, addresses, refusals }: HostFacts): JoinProblem[] {
  const problems: JoinProblem[] = [];
  if (node) {
    const { id, name, cluster } = node;
    problems.push(
      overridable(`this host is node ${id} (${name}) of the cluster ${cluster} already`),
    );
  }
  if (containers.length > 0) {
    const names = containers.join(", ");
    problems.push(overridable(`this host already has containers on the network hansa: ${names}`));
  }
  for (const { number, address } of links) {
    if (addresses.includes(address)) continue;
    problems.push(fatal(`link${number}: ${address} is no address of this host`));
  }
  return [...problems, ...refusals.map(fatal)];
}

function clusterProblems(host: HostFacts, { info, askedAtMs }: ClusterFacts): JoinProblem[] {
  const problems: JoinProblem[] = [];
  const { nodes, name, quorate, version, date } = info;
  if (!quorate) problems.push(fatal(`the cluster ${name} is not quorate: no node can be added`));
  const namesake = nodes.find((node) => node.name.toLowerCase() === host.name.toLowerCase());
  if (namesake) {
    problems.push(
      fatal(`can't add existing node '${host.name}': node ${namesake.id} has the name`),
    );
  }
  const holder = nodes.find(({ id }) => id === host.id);
  if (holder) problems.push(fatal(`the id ${holder.id} is taken by node '${holder.name}'`));
  if (seriesOf(version) !== seriesOf(host.version)) {
    problems.push(
      overridable(
        `this host has version ${host.version}, the cluster has ${version}: install the same first`,
      ),
    );
  }
  const skewMs = Date.parse(date) - askedAtMs;
  if (!(Math.abs(skewMs) <= MAX_CLOCK_MS)) {
    const here = timeText(askedAtMs);
    const there = timeText(Date.parse(date));
    const limit = MAX_CLOCK_MS / 1000;
    problems.push(
      overridable(
        `the clocks differ by more than ${limit} s: here it is ${here}, in the cluster ${there}`,
      ),
    );
  }
  return [...problems, ...linkProblems(host, info)];
}

function linkProblems({ links }: HostFacts, { nodes, nodeId }: JoinInfo): JoinProblem[] {
  const problems: JoinProblem[] = [];
  for (const { address } of links) {
    for (const node of nodes) {
      const used = node.links.find((link) => link.address === address);
      if (!used) continue;
      problems.push(
        fatal(`address '${address}' already used on link${used.number} by node '${node.name}'`),
      );
    }
  }
  const asked = nodes.find(({ id }) => id === nodeId);
  const theirs = (asked?.links ?? []).map(({ number }) => number);
  const ours = links.length > 0 ? links.map(({ number }) => number) : [0];
  for (const number of theirs.filter((each) => !ours.includes(each))) {
    problems.push(
      fatal(`link${number} exists in the cluster but wasn't specified for the new node`),
    );
  }
  for (const number of ours.filter((each) => theirs.length > 0 && !theirs.includes(each))) {
    problems.push(
      fatal(`link${number} was specified for the new node but doesn't exist in the cluster`),
    );
  }
  return problems;
}

function pathText(path: PathFact, { name, links }: HostFacts): string {
  const { member, direction, protocol, port, link } = path;
  const way =
    direction === "to-host"
      ? `${member} does not reach ${name}`
      : `${name} does not reach ${member}`;
  const on = link === undefined || links.length < 2 ? "" : ` on link${link}`;
  return `${way} at ${port}/${protocol}${on}`;
}

/** "0.1" of "0.1.7". */
function seriesOf(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

function timeText(ms: number): string {
  return Number.isFinite(ms)
    ? new Date(ms).toISOString().slice(0, 19).replace("T", " ")
    : "unknown";
}

function fatal(text: string): JoinProblem {
  return { text, isOverridable: false };
}

function overridable(text: string): JoinProblem {
  return { text, isOverridable: true };
}
