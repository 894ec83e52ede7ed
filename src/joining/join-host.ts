/**
 * `hansa add`: makes this host a node of the cluster that a node at HOST belongs to.
 *
 * Invariants: everything is checked before anything is changed, and all that is wrong is told at once; the token stays on this host; what --force overwrites was
 * copied to a file before.
 */
import { randomInt } from "node:crypto";
import { lookup } from "node:dns/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { NodeClient } from "../client/node-client.ts";
import { codedSentence, HansaError, isHansaError } from "../errors.ts";
import { systemCommand } from "../host/command.ts";
import { requestedNode } from "../processes/launch-request.ts";
import { DEFAULT_PORTS, type NodeFile, type Ports } from "../processes/node-file.ts";
import { type Left, reset } from "../processes/reset.ts";
import type { ThisHost } from "../processes/this-host.ts";
import { takePlace } from "../starter/start-here.ts";
import type { NodeId } from "../values/node-id.ts";
import type { NodeLink } from "../values/node-link.ts";
import { backUpNode } from "./back-up.ts";
import { checkPaths } from "./check-paths.ts";
import { type Entry, enter, type Met, meet, requireFingerprint } from "./first-contact.ts";
import { hostFacts } from "./host-facts.ts";
import {
  type ClusterFacts,
  type JoinFacts,
  type JoinProblem,
  joinProblems,
  type PathFact,
} from "./join-problems.ts";

export interface JoinRequest {
  /** A node of the cluster: name or address, and the port of its API. */
  readonly peer: { readonly host: string; readonly port: number };
  readonly hostName: string;
  readonly id: NodeId | undefined;
  readonly links: readonly NodeLink[] | undefined;
  readonly ports: Partial<Ports>;
  readonly fingerprint: string | undefined;
  /** Undefined: as it comes, by the node's id. */
  readonly votes: 0 | 1 | undefined;
  readonly force: boolean;
}

/** Who runs the command. */
export interface Joiner {
  /** One step, in whole words. */
  say(text: string): void;
  warn(text: string): void;
  /** True when the certificate with this fingerprint is that of the node that is meant. */
  trusts(met: Met): Promise<boolean>;
  token(met: Met): Promise<string>;
  /** The daemon of this host. */
  readonly local: Pick<NodeClient, "quorum" | "store" | "vote" | "leave">;
  nowMs(): number;
}

/** For the registry of nodes and this node's vote, where it is to have one. */
const SETTLED_MS = 60_000;
const LOOK_MS = 200;
const WRONG_TOKEN = "the token is not that of the cluster";

/** Throws JOIN_CHECKS_FAILED after telling all problems, JOIN_FINGERPRINT_DIFFERS, CONTEXT_UNREACHABLE, and as `launch` and `reset` do. */
export async function joinHost(
  request: JoinRequest,
  joiner: Joiner,
  host: ThisHost,
): Promise<NodeFile> {
  const { peer, links, ports, force } = request;
  joiner.say(`Establishing API connection with host '${peer.host}'`);
  const met = await meet(peer.host, peer.port);
  if (request.fingerprint !== undefined) requireFingerprint(met, request.fingerprint);
  else if (!(await joiner.trusts(met))) {
    throw new HansaError(
      "JOIN_FINGERPRINT_DIFFERS",
      `the certificate of ${peer.host} was not accepted`,
    );
  }
  // As it will be, but for what the cluster decides.
  const trial = requestedNode({ id: request.id ?? 1, targets: [], links, ports }, request.hostName);
  const wished = { name: trial.name, id: request.id, links, ports };
  const token = await joiner.token(met);
  // Deriving the key takes longest: what can be looked at without it is, meanwhile.
  const [entry, facts] = await Promise.all([
    enter(met, token, trial.name),
    hostFacts(wished, host),
  ]);
  if (entry) joiner.say("Login succeeded.");
  joiner.say("check cluster join API version, names, clocks and links");
  const cluster = await askCluster(entry, met, joiner);
  const own = { ...DEFAULT_PORTS, ...ports };
  // Another host may have an address that is not this one's; that is told by itself.
  const held = links?.filter(({ address }) => facts.addresses.includes(address));
  const toCheck = entry &&
    "info" in cluster && { entry, info: cluster.info, met, own, links: held };
  const isFree = facts.node === undefined && facts.refusals.length === 0;
  const paths = toCheck && isFree ? await reach(toCheck, joiner) : [];
  decide({ host: facts, cluster, paths }, force, joiner);
  if (!toCheck) throw new HansaError("INTERNAL", "a cluster that cannot be asked was let pass");
  if (facts.node) {
    const backup = await makeRoom(facts.node.name, joiner, host);
    const after = { host: { ...facts, node: undefined, containers: [] }, cluster };
    try {
      decide({ ...after, paths: await reach(toCheck, joiner) }, force, joiner);
    } catch (error) {
      joiner.warn(`Note: this host is no node any more; what the old one had is in '${backup}'`);
      throw error;
    }
  }
  joiner.say("Request addition of this node");
  const node = await takePlace({ name: trial.name, links, ports }, host, {
    progress: () => undefined,
    admit: async (question) => {
      const { id } = request;
      const client = toCheck.entry.clientAt(peer.host, peer.port);
      const joined = await client.join({ ...question, ...(id !== undefined && { id }) });
      joiner.say("Join request OK, finishing setup locally");
      // Where it was asked: its own address may be one that is not reached from here.
      const own = peer.host.includes(":") ? `[${peer.host}]` : peer.host;
      return { ...joined, targets: [`${own}:${joined.gossipPort}`, ...joined.targets.slice(1)] };
    },
  });
  await settle(node, request.votes, joiner);
  return node;
}

async function askCluster(
  entry: Entry | undefined,
  { host, port }: Met,
  joiner: Joiner,
): Promise<ClusterFacts | { readonly refused: string }> {
  if (entry === undefined) return { refused: `${WRONG_TOKEN} at ${host}` };
  const beganMs = joiner.nowMs();
  try {
    const info = await entry.clientAt(host, port).joinInfo();
    return { info, askedAtMs: (beganMs + joiner.nowMs()) / 2 };
  } catch (error) {
    if (!isHansaError(error)) throw error;
    if (!isHansaError(error, "STORE_NONE")) return { refused: codedSentence(error) };
    return {
      refused: `${host} has no cluster to join: ${error.message} (hansa create NAME there)`,
    };
  }
}

function reach(
  {
    entry,
    info,
    met,
    own,
    links,
  }: {
    readonly entry: Entry;
    readonly info: ClusterFacts["info"];
    readonly met: Met;
    readonly own: Ports;
    readonly links: readonly NodeLink[] | undefined;
  },
  joiner: Joiner,
): Promise<PathFact[]> {
  joiner.say("check the ports between this host and the cluster, both ways");
  return checkPaths({
    ...{ info, ports: own, asked: { host: met.host, port: met.port }, clientAt: entry.clientAt },
    anyOf: (count) => randomInt(count),
    addressesOf,
    links,
  });
}

async function addressesOf(host: string): Promise<readonly string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (cause) {
    // It was asked there a moment ago.
    throw new HansaError("CONTEXT_UNREACHABLE", `${host} cannot be resolved`, { cause });
  }
}

/** Throws JOIN_CHECKS_FAILED when something stands in the way. */
function decide(facts: JoinFacts, force: boolean, joiner: Joiner): void {
  const problems = joinProblems(facts);
  const stands = ({ isOverridable }: JoinProblem): boolean => !(force && isOverridable);
  const overridden = problems.filter((each) => !stands(each));
  for (const { text } of overridden) joiner.warn(`Warning: ${text}`);
  const standing = problems.filter(stands);
  if (standing.length === 0) return;
  joiner.warn("detected the following error(s):");
  for (const { text } of standing) joiner.warn(`* ${text}`);
  throw new HansaError("JOIN_CHECKS_FAILED", "check if node may join a cluster failed");
}

/** What this host was ends, after a copy, of which this is the file. */
async function makeRoom(name: string, joiner: Joiner, host: ThisHost): Promise<string> {
  const file = await backUpNode(host.paths, name, joiner.nowMs(), systemCommand);
  joiner.say(`backup of the old node to '${file}'`);
  joiner.say("stopping the old node");
  const leave = (): Promise<Left> => joiner.local.leave(false);
  const { notes } = await reset({ force: true, leave }, host);
  for (const note of notes) joiner.warn(`Note: ${note}`);
  return file;
}

/** Until the cluster counts this node, and its vote where it is to have one. */
async function settle(
  { id, name }: NodeFile,
  votes: JoinRequest["votes"],
  joiner: Joiner,
): Promise<void> {
  joiner.say("waiting for quorum...");
  const end = performance.now() + SETTLED_MS;
  let isAsked = votes === undefined;
  let state = "no vote is heard yet";
  for (;;) {
    try {
      const { wanted } = isAsked
        ? await joiner.local.store()
        : await joiner.local.vote({ node: `${id}`, vote: votes === 1 });
      isAsked = true;
      const { quorate, nodes, members } = await joiner.local.quorum();
      const has = members.find((each) => each.id === id)?.votes === 1;
      if (quorate && nodes > 1 && has === wanted.includes(id)) break;
      state = has ? "still has a vote" : "its vote is not given yet";
    } catch (error) {
      // Until it hears of one there is no store for it.
      if (!isHansaError(error)) throw error;
      state = codedSentence(error);
    }
    if (performance.now() > end) {
      joiner.warn(`Warning: node '${name}' is in the cluster, which goes on by itself: ${state}`);
      return;
    }
    await delay(LOOK_MS);
  }
  joiner.say("waiting for quorum...OK");
}
