/**
 * The node's part in the store, put together: its own vote, the way to those of others, its copy of all of it, and what the API says.
 *
 * Wiring only, in two steps: what lies on disk is known before gossip begins, the rest needs gossip.
 */
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import type { Caller } from "../../api/caller.ts";
import type { UpgradeServer } from "../../api/node-routing.ts";
import { isRecoveryTurn } from "../../client/store-check.ts";
import { systemClock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import { wasNotTaken } from "../../store/etcd/etcd-error.ts";
import type { StoreWay } from "../../store/node-store.ts";
import { NodeStore } from "../../store/node-store.ts";
import { StoreMirror } from "../../store/store-mirror.ts";
import { storeTls } from "../../store/store-tls.ts";
import type { NodeId } from "../../values/node-id.ts";
import { askPeer } from "../doors/ask-peer.ts";
import type { PeerRequests } from "../doors/peer-requests.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { isHeard } from "../membership/roster.ts";
import { nodeNameIn, registeredIn } from "../votes/known-votes.ts";
import { TunnelServer } from "../votes/store-tunnel.ts";
import { VoterLead } from "../votes/voter-lead.ts";
import { VoterPlace, type VoterPlaceOptions } from "../votes/voter-place.ts";
import { VoterWord } from "../votes/voter-word.ts";
import { WitnessDesk } from "../votes/witness-desk.ts";
import { WitnessKeeper } from "../votes/witness-keeper.ts";
import { CopyDesk } from "./copy-desk.ts";
import { FsyncMemory } from "./fsync-memory.ts";
import { FsyncMeter } from "./fsync-meter.ts";
import { MirrorLoop } from "./mirror-loop.ts";
import { RecoveryTurns } from "./recovery-turns.ts";
import { StoreAnswers } from "./store-answers.ts";
import { StoreBackups } from "./store-backups.ts";
import { StoreDamage } from "./store-damage.ts";
import { StoreLoop } from "./store-loop.ts";
import { StoreRecovery } from "./store-recovery.ts";
import { StoreRetreat } from "./store-retreat.ts";
import { StoreRivals } from "./store-rivals.ts";
import { StoreTiming } from "./store-timing.ts";
import { StoreUpkeep } from "./store-upkeep.ts";
import { storeWays } from "./store-ways.ts";

const TURN_MS = 1500;

export interface StorePartOptions {
  readonly self: { readonly id: NodeId; readonly name: string; readonly cluster: string };
  readonly roots: readonly Uint8Array[];
  readonly place: VoterPlaceOptions;
  readonly logger: Logger;
  /** There may be another problem. */
  readonly changed: () => void;
}

export interface StoreNeeds {
  readonly membership: MembershipLoop;
  readonly peers: PeerRequests;
  /** A node's address inside of the overlay. */
  readonly inside: (id: NodeId) => string;
}

export class StorePart {
  readonly #options: StorePartOptions;
  readonly #fsyncs: FsyncMemory;
  readonly place: VoterPlace;
  readonly mirror: StoreMirror;
  #store!: NodeStore;
  #loop!: StoreLoop;
  #following!: MirrorLoop;
  #answers!: StoreAnswers;
  #witness!: WitnessKeeper;
  #recovery!: StoreRecovery;
  #membership!: MembershipLoop;

  /** Throws STATE_DAMAGED. */
  static async load(options: StorePartOptions): Promise<StorePart> {
    const { logger, changed, place } = options;
    const dir = join(place.paths.stateDir, "mirror");
    const mirror = await StoreMirror.load({ dir, clock: systemClock, logger, changed });
    const disk = join(place.paths.stateDir, "disk.json");
    const fsyncs = await FsyncMemory.load(disk, systemClock, logger);
    return new StorePart(options, await VoterPlace.load(place), mirror, fsyncs);
  }

  private constructor(
    options: StorePartOptions,
    place: VoterPlace,
    mirror: StoreMirror,
    fsyncs: FsyncMemory,
  ) {
    this.#options = options;
    this.#fsyncs = fsyncs;
    this.place = place;
    this.mirror = mirror;
  }

  /** Once gossip runs; before everything else of this but `place` and `mirror`. */
  connect({ membership, peers, inside }: StoreNeeds): void {
    const { self, roots, logger, changed } = this.#options;
    const { place, mirror } = this;
    const { stateDir } = this.#options.place.paths;
    const witness = new WitnessKeeper({
      ...{ mirror, place, clock: systemClock, changed, logger },
      mark: () => membership.roster().self.metadata.store ?? mirror.store,
      tls: () => storeTls(roots, [inside(self.id)], "node"),
    });
    this.#witness = witness;
    this.#membership = membership;
    const lead = new VoterLead({
      ...{ self: self.id, membership, peers, logger, inside, witness },
      nowMs: () => performance.now(),
    });
    const retreat = new StoreRetreat({
      ...{ place, backups: new StoreBackups(stateDir), membership, clock: systemClock, logger },
    });
    const rivals = new StoreRivals({
      ...{ self: self.id, place, membership },
      ask: async (other) => {
        const { copies, isQuorate } = await desk.of(other);
        const hasGrown = copies.some((copy) => copy.source === "voter" && copy.hasGrown);
        return { hasGrown, isQuorate };
      },
    });
    const damage = new StoreDamage({
      ...{ place, retreat, clock: systemClock, logger },
      hasMajority: () => rivals.hasMajority(),
    });
    const pace = Number(process.env["HANSA_TEST_STORE_PACE"] ?? 1) || 1;
    const meter = new FsyncMeter({
      ...{ metrics: () => place.metrics(), memory: this.#fsyncs, logger, pace },
    });
    const fsyncMs = (nowMs: number): number | undefined => meter.look(nowMs);
    const witnessMs = (): number | undefined => witness.link?.rttMs;
    const timing = new StoreTiming({
      ...{ place, lead, fsyncMs, witnessMs, logger, pace },
      rows: () => membership.knowledge.rows,
      wallMs: () => Date.now(),
    });
    const word = new VoterWord({
      place,
      measured: () => ({
        fsyncMs: fsyncMs(systemClock.monotonicMs()) ?? null,
        witnessMs: witnessMs() ?? null,
      }),
    });
    this.#loop = new StoreLoop({
      ...{ timing, word },
      ...{ retreat, rivals, damage, upkeep: new StoreUpkeep({ lead, logger }) },
      ...{ self, place, lead, membership, clock: systemClock, changed, logger },
      lastSeen: () => mirror.store,
    });
    const ways = (): StoreWay[] =>
      storeWays({
        ...{ self: self.id, place, membership, peers },
        known: () => mirror.store,
      });
    this.#store = new NodeStore({ wasNotTaken, ways });
    this.#following = new MirrorLoop({
      ...{ mirror, store: this.#store, clock: systemClock, logger },
      hasWay: () => ways().length > 0,
      news: () => witness.update(),
    });
    const desk = new CopyDesk({
      ...{ self, place, peers, clock: systemClock, store: this.#store },
      mirror: () => mirror.copy(),
    });
    const turns = new RecoveryTurns({
      ...{ self, clock: systemClock },
      heard: () =>
        membership
          .roster()
          .peers.filter(isHeard)
          .map(({ metadata: { id, name } }) => ({ id, name })),
      ask: async (node, body) => {
        const question = {
          method: "POST",
          path: "/v1/store/turn",
          body,
          timeoutMs: TURN_MS,
        } as const;
        const answer = await askPeer(peers, node, question);
        return isRecoveryTurn(answer) ? answer : { store: null };
      },
      mark: () => (place.record?.filling ? undefined : place.record?.store),
    });
    this.#recovery = new StoreRecovery({
      ...{ self, desk, loop: this.#loop, membership, witness, stateDir, turns },
      nameOf: (member) => nodeNameIn(mirror, member),
    });
    const witnessDesk = new WitnessDesk({
      ...{ self, cluster: self.cluster, roots, keeper: witness, membership, peers, logger },
    });
    this.#answers = new StoreAnswers({
      ...{ desk, recovery: this.#recovery, turns, witness, witnessDesk },
      ...{ loop: this.#loop, lead, store: this.#store, mirror, membership },
    });
  }

  get loop(): StoreLoop {
    return this.#loop;
  }

  /** What `status` is to warn of: sentences, which begin with their code. */
  get problems(): readonly (string | undefined)[] {
    const others = [this.mirror.problem, this.#following.problem, this.#witness.problem];
    return [...this.#loop.problems, ...others];
  }

  /** The nodes that the store's registry has, those aside that are gone for good. */
  get registered(): ReturnType<typeof registeredIn> {
    return registeredIn(this.mirror, (name) => this.#membership.hasDeparted(name));
  }

  get answers(): StoreAnswers {
    return this.#answers;
  }

  /** The store as this node has it. */
  get store(): NodeStore {
    return this.#store;
  }

  /** Serves the ways of other nodes to this one's etcd. */
  tunnels(callerOf: (request: IncomingMessage) => Caller | undefined): UpgradeServer {
    const { logger } = this.#options;
    return new TunnelServer({
      ...{ callerOf, dial: () => this.place.dial() },
      onDefect: (error) => logger.error("a way to the store failed", { error: `${error}` }),
    });
  }

  begin(): void {
    this.#witness.begin();
    // The next start, or the next restore, takes away what could not be.
    this.#recovery
      .begin()
      .catch((error: unknown) =>
        this.#options.logger.warn("a file of a former restore stays", { error: `${error}` }),
      );
    this.#loop.begin();
    this.#following.begin();
  }

  /** Nodes may be heard, or not. Cheap. */
  changed(): void {
    this.#witness.update();
    this.#loop.changed();
    this.#following.changed();
  }

  async close(): Promise<void> {
    this.#store.close();
    this.#witness.close();
    await Promise.all([this.#following.close(), this.#loop.close()]);
  }
}
