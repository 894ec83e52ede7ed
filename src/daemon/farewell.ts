/**
 * How a node leaves for good (reset): it stops giving addresses, hands its space to a peer, sees that the peer has it on disk, and leaves.
 *
 * Invariant: nobody hears that we left before what we handed over is told. Whatever fails, the node leaves all the same, and the
 * answer says what stays lost until somebody takes it over. Where another host runs with our very key, a clone or the original of this
 * one, it keeps all: a goodbye would be its own as well.
 */
import { setTimeout as delay } from "node:timers/promises";
import { codedSentence } from "../errors.ts";
import type { Logger } from "../host/logger.ts";
import type { AddressesView } from "../ipam/addresses.ts";
import type { Segment } from "../ipam/ring.ts";
import type { RingEntry } from "../ipam/step.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";
import type { AddressLoop } from "./addresses/address-loop.ts";
import type { MembershipLoop } from "./membership/membership-loop.ts";
import { isHeard, type RosterNode } from "./membership/roster.ts";

export interface FarewellParts {
  readonly self: NodeId;
  readonly addresses: Pick<
    AddressLoop,
    "view" | "entries" | "input" | "leases" | "free" | "carriedOut" | "problem"
  >;
  readonly membership: Pick<
    MembershipLoop,
    "roster" | "remembered" | "search" | "exchange" | "leave" | "isCertain" | "rival"
  >;
  /** What containers hold by now, as far as Docker can be asked. */
  readonly held: () => Promise<readonly Ipv4[]>;
  readonly logger: Logger;
}

export interface FarewellResult {
  /** Who has our space now; undefined when nobody was given any. */
  readonly heir: { readonly id: NodeId; readonly name: string } | undefined;
  /** Dynamic addresses handed over. */
  readonly handedOver: number;
  /** Dynamic addresses that stay ours in everybody's eyes. */
  readonly lost: number;
  /** Why, or what else is uncertain, in one sentence. */
  readonly problem: string | undefined;
  /** Whether this node ever met another one: only then anybody misses anything. */
  readonly hadPeers: boolean;
}

/** For a peer to be heard, where there are some to be looked for. */
const FIND_PEER_MS = 5_000;
/** After the first contact, to know of a twin. */
const CERTAIN_MS = 6_000;
const HAND_OVER_MS = 8_000;
/** One try: the plugin has 2 s to cede. */
const ONE_HAND_OVER_MS = 2_500;
/** For what was decided to be on disk: on a full one it never is. */
const WRITE_MS = 3_000;
const LEAVE_MS = 2_000;
const LOOK_MS = 20;
/** An exchange tells a peer our rings; the next one shows what it has written down. */
const CONFIRM_ROUNDS = 5;

export class Farewell {
  readonly #parts: FarewellParts;
  /** Versions of records as peers told them since the hand-over, by start. */
  readonly #told = new Map<number, number>();
  /** Addresses of containers that came to the network after it was found empty. */
  #held: readonly Ipv4[] = [];
  readonly done: Promise<FarewellResult>;

  constructor(parts: FarewellParts) {
    this.#parts = parts;
    this.done = this.#run();
  }

  /** A peer told these records, which it has on disk. */
  heard(entries: readonly RingEntry[]): void {
    for (const { start, version } of entries) {
      this.#told.set(start, Math.max(version, this.#told.get(start) ?? 0));
    }
  }

  async #run(): Promise<FarewellResult> {
    const { membership, addresses, self } = this.#parts;
    // Gives nothing any more, whoever the heir will be.
    addresses.input({ type: "hand-over", heir: self });
    const peers = await this.#findPeers();
    if (peers.length > 0) await this.#waitFor(() => membership.isCertain, CERTAIN_MS);
    if (membership.rival) return this.#leftToTwin(membership.rival.at.ip);
    const { usurper, expelled } = membership.roster();
    const hadPeers = peers.length > 0 || membership.remembered.length > 0;
    // The space of an id that is not ours any more is not ours to give.
    const isOurs = usurper === undefined && expelled === undefined;
    const before = isOurs ? this.#own().dynamic : 0;
    const { heir, problem } = isOurs ? await this.#handOver(peers) : NOTHING_DONE;
    const handedOver = heir === undefined ? 0 : before - this.#own().dynamic;
    await membership.leave(peers, LEAVE_MS);
    const result = { heir, handedOver, lost: before - handedOver, problem, hadPeers };
    this.#parts.logger.info("left the cluster", { ...result, heir: heir?.id });
    return result;
  }

  /** Nobody is told anything: our name, key and space are the other's, which goes on with them. */
  #leftToTwin(ip: string): FarewellResult {
    const problem = `another host (${ip}) runs with this node's own key, and goes on as this node`;
    this.#parts.logger.info("left the place to a twin", { ip });
    return { heir: undefined, handedOver: 0, lost: 0, problem, hadPeers: true };
  }

  /** Peers that answer at this moment: one that was heard a second ago may be cut off by now. */
  async #findPeers(): Promise<RosterNode[]> {
    const { membership } = this.#parts;
    const heard = () => membership.roster().peers.filter(isHeard);
    const isSought =
      membership.remembered.length > 0 ||
      membership.search.targets().some(({ state }) => state !== "failed");
    if (isSought) await this.#waitFor(() => heard().length > 0, FIND_PEER_MS);
    const asked = heard();
    const silent = await membership.exchange(asked);
    return asked.filter((peer) => !silent.includes(peer));
  }

  async #handOver(peers: readonly RosterNode[]): Promise<Pick<FarewellResult, "heir" | "problem">> {
    const { addresses, self } = this.#parts;
    if (this.#isEmpty()) return NOTHING_DONE;
    const ids = peers.map(({ metadata }) => metadata.id);
    const heirId = heirOf(addresses.view().segments.dynamic, self, ids);
    const heir = peers.find(({ metadata }) => metadata.id === heirId);
    if (!heir) return { heir: undefined, problem: "no other node is in reach" };
    let problem: string | undefined;
    const end = performance.now() + HAND_OVER_MS;
    while (!this.#isEmpty() && performance.now() < end) {
      problem = await this.#freeLeases();
      if (problem === undefined) {
        addresses.input({ type: "hand-over", heir: heir.metadata.id });
        // The question to the plugin may be lost with it; then it is put again.
        await this.#waitFor(() => this.#isEmpty(), ONE_HAND_OVER_MS);
        if (this.#held.length > 0) break;
      } else await delay(10 * LOOK_MS);
    }
    if (!(await this.#isWritten())) {
      return { heir: undefined, problem: addresses.problem ?? "it cannot be written down" };
    }
    const { id, name } = heir.metadata;
    if (!this.#isEmpty()) {
      const inUse = this.#held.length > 0 ? "containers came to the network meanwhile" : undefined;
      return {
        heir: { id, name },
        problem: problem ?? inUse ?? "the address plugin did not give it up",
      };
    }
    const others = peers.filter((peer) => peer !== heir);
    if (await this.#confirm(heir, others)) return { heir: { id, name }, problem: undefined };
    return { heir: undefined, problem: `${name} did not confirm that it has them` };
  }

  /**
   * No container was on the network any more, so what is leased is nobody's and in the way. But for those that came since: their
   * addresses stay lost rather than being given to somebody else as well.
   */
  async #freeLeases(): Promise<string | undefined> {
    const { addresses, held } = this.#parts;
    try {
      const { leases } = await addresses.leases();
      this.#held = leases.length > 0 ? await held() : [];
      const free = leases.filter(({ address }) => !this.#held.includes(address));
      if (free.length > 0) await addresses.free(free.map(({ address }) => address));
      return undefined;
    } catch (error) {
      return codedSentence(error);
    }
  }

  /** Tells all peers, and waits until one of them has all of it on disk; false when none says so. */
  async #confirm(heir: RosterNode, others: readonly RosterNode[]): Promise<boolean> {
    const { membership, addresses } = this.#parts;
    const isTold = () =>
      addresses.entries().every(({ start, version }) => (this.#told.get(start) ?? 0) >= version);
    await membership.exchange(others);
    for (let round = 0; round < CONFIRM_ROUNDS; round++) {
      const silent = await membership.exchange([heir]);
      if (isTold()) return true;
      if (silent.length > 0) await membership.exchange(others);
      if (isTold()) return true;
      await delay(2 * LOOK_MS);
    }
    return false;
  }

  /** Whether all that was decided is on disk, and carried out. */
  async #isWritten(): Promise<boolean> {
    let isWritten = false;
    void this.#parts.addresses.carriedOut().then(() => {
      isWritten = true;
    });
    await this.#waitFor(() => isWritten, WRITE_MS);
    return isWritten;
  }

  #own(): { readonly dynamic: number; readonly fixed: number } {
    const view: AddressesView = this.#parts.addresses.view();
    const own = view.entries.find(({ id }) => id === this.#parts.self);
    return { dynamic: own?.addresses ?? 0, fixed: own?.fixedAddresses ?? 0 };
  }

  #isEmpty(): boolean {
    const { dynamic, fixed } = this.#own();
    return dynamic === 0 && fixed === 0;
  }

  async #waitFor(condition: () => boolean, withinMs: number): Promise<void> {
    const end = performance.now() + withinMs;
    while (!condition() && performance.now() < end) await delay(LOOK_MS);
  }
}

const NOTHING_DONE = { heir: undefined, problem: undefined } as const;

/** Of `candidates` the one whose part of the ring comes next after ours, so that parts grow together; the first where none owns any. Pure. */
export function heirOf(
  segments: readonly Segment[],
  self: NodeId,
  candidates: readonly NodeId[],
): NodeId | undefined {
  const own = segments.findIndex(({ owner }) => owner === self);
  const inOrder = [...segments.slice(own + 1), ...segments.slice(0, own + 1)];
  return inOrder.find(({ owner }) => candidates.includes(owner))?.owner ?? candidates[0];
}
