/** Clusters of our nodes (in this process, real sockets) and of memberlist's (in one Go process), without a label. */

import { Counters } from "../../src/gossip/counters.ts";
import type { GossipOptions } from "../../src/gossip/gossip.ts";
import { eventually, KEY, type Node, startNode } from "../../src/gossip/recording-delegate.ts";
import { StreamDialler } from "../../src/gossip/stream-dialler.ts";
import type { MemberState, PushPull, RemoteMember } from "../../src/membership/message.ts";
import { type Envelope, makeEnvelope } from "../../src/membership/wire/packet.ts";
import { makeKeyring, NONCE_SIZE } from "../../src/membership/wire/security.ts";
import { encodeFrame } from "../../src/membership/wire/stream-frame.ts";
import type { Endpoint } from "../../src/values/endpoint.ts";
import { Reference, ReferenceNode, type ReferenceSettings } from "./reference.ts";

/** memberlist 0.2.2 knows no labels; the daemon always has one. */
export const ENVELOPE: Envelope = makeEnvelope("", makeKeyring([KEY]));

/** A fifth of LAN timing, in all that ours has besides as well. Suspicions last 0.8 to 2.4 s: for tests in which somebody is to die. */
export const TIMING = {
  probeIntervalMs: 200,
  probeTimeoutMs: 100,
  gossipIntervalMs: 40,
  pushPullIntervalMs: 3_000,
  suspicionMult: 4,
  suspicionMaxTimeoutMult: 3,
  inquestRoundMs: 140,
  doubtMs: 600,
};

/** Suspicions last 4 to 12 s, and there is no inquest: a stall of a busy machine kills nobody. For tests in which nobody is to die. */
export const PATIENT = { ...TIMING, suspicionMult: 20, inquestRounds: 0 };

export interface Held {
  readonly state: MemberState;
  readonly incarnation: number;
}

/** Starts nodes of both kinds, each on a loopback address of its own, and closes all of them at the end of its block. */
export class MixedCluster implements AsyncDisposable {
  readonly ours: Node[] = [];
  readonly theirs: ReferenceNode[] = [];
  readonly #reference: Reference;
  readonly #names = new Set<string>();

  private constructor(reference: Reference) {
    this.#reference = reference;
  }

  /** "o1", "o2", … of ours and "m1", "m2", … of memberlist's, not joined. */
  static async start(
    ours: number,
    theirs: number,
    settings: Partial<ReferenceSettings> = {},
    options: Partial<GossipOptions> = {},
  ): Promise<MixedCluster> {
    const cluster = new MixedCluster(await Reference.start());
    try {
      for (let index = 1; index <= ours; index++) await cluster.addOurs(`o${index}`, options);
      for (let index = 1; index <= theirs; index++) await cluster.addTheirs(`m${index}`, settings);
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  async addOurs(name: string, options: Partial<GossipOptions> = {}): Promise<Node> {
    const ip = `127.0.41.${this.ours.length + 1}`;
    const node = await startNode(name, {
      bind: { ip, port: 0 },
      advertise: { ip, port: 0 },
      label: "",
      timing: TIMING,
      ...options,
    });
    this.ours.push(node);
    this.#names.add(name);
    return node;
  }

  async addTheirs(name: string, settings: Partial<ReferenceSettings> = {}): Promise<ReferenceNode> {
    const node = await this.#reference.node({
      name,
      bind: `127.0.42.${this.theirs.length + 1}`,
      key: KEY,
      meta: `meta of ${name}`,
      state: Buffer.from(`state of ${name}`),
      timing: TIMING,
      ...settings,
    });
    this.theirs.push(node);
    this.#names.add(name);
    return node;
  }

  /** Everybody joins over the first of the other kind; the first two over each other. */
  async join(): Promise<void> {
    const [ours, theirs] = [this.ours[0], this.theirs[0]];
    if (ours === undefined || theirs === undefined)
      throw new Error("two kinds of nodes are needed");
    for (const node of this.ours) {
      const result = await node.gossip.join(theirs.at);
      if (!result.ok) throw new Error(`${theirs.name} refuses: ${result.message}`);
    }
    for (const node of this.theirs.slice(1)) await node.join(ours.at);
  }

  /** Resolves when every node holds all of `names` for members and nobody else; a suspect is one, and on a busy machine there may always be some. */
  async agree(names: Iterable<string> = this.#names, withinMs = 60_000): Promise<void> {
    const wanted = [...names].sort().join(" ");
    const asked = new Set(names);
    for (const node of this.ours.filter((each) => asked.has(nameOf(each)))) {
      await eventually(`${nameOf(node)} sees all`, () => living(node) === wanted, withinMs);
    }
    for (const node of this.theirs.filter((each) => asked.has(each.name))) {
      await eventually(
        `${node.name} sees all`,
        async () =>
          (await node.members())
            .map(({ name }) => name)
            .sort()
            .join(" ") === wanted,
        withinMs,
      );
    }
  }

  /** A node of either kind by its name, the last one of that name. */
  find(name: string): Node | ReferenceNode | undefined {
    const ours = this.ours.findLast((node) => nameOf(node) === name);
    return ours ?? this.theirs.findLast((node) => node.name === name);
  }

  /** Ends a node without a word. */
  async kill(name: string): Promise<void> {
    const node = this.find(name);
    if (node instanceof ReferenceNode) await node.kill();
    else await node?.gossip.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.ours.map((node) => node.gossip.close()));
    await this.#reference[Symbol.asyncDispose]();
  }
}

/** The name under which one of our nodes is a member. */
export function nameOf(node: Node): string {
  return node.gossip.members()[0]?.name ?? "";
}

function living(node: Node): string {
  const isLiving = (state: MemberState) => state === "alive" || state === "suspect";
  const members = node.gossip.members().filter(({ state }) => isLiving(state));
  return members
    .map(({ name }) => name)
    .sort()
    .join(" ");
}

/** Gives the node at `at`, of either kind, a state, and returns its own. */
export async function tellState(
  at: Endpoint,
  members: readonly RemoteMember[],
  envelope = ENVELOPE,
): Promise<PushPull> {
  const state = { join: false, members, userState: new Uint8Array(0) };
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_SIZE));
  const frame = encodeFrame({ type: "pushPull", state }, envelope, true, nonce);
  const answer = await new StreamDialler(() => envelope, new Counters()).exchange(at, frame);
  if (!answer.ok) throw new Error(`no state: ${answer.message}`);
  if (answer.message.type !== "pushPull") throw new Error(`answered by ${answer.message.type}`);
  return answer.message.state;
}

/** What the node at `at`, of either kind, holds of everybody; asked by a push/pull that tells nothing. */
export async function heldBy(at: Endpoint): Promise<Map<string, Held>> {
  const { members } = await tellState(at, []);
  return new Map(members.map(({ name, state, incarnation }) => [name, { state, incarnation }]));
}

/** Resolves when the node at `at` holds `name` in `state`, with what it holds. */
export async function whenHeld(
  at: Endpoint,
  name: string,
  fits: (held: Held) => boolean,
  withinMs = 60_000,
): Promise<Held> {
  let last: Held | undefined;
  await eventually(
    `${name} held as wanted`,
    async () => {
      last = (await heldBy(at)).get(name);
      return last !== undefined && fits(last);
    },
    withinMs,
  );
  if (last === undefined) throw new Error(`${name} is not held`);
  return last;
}
