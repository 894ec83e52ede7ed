/**
 * Fits the heartbeat and election times of the store's voters to the network and the disks there are: measures, decides, and has one etcd after the other
 * started anew. Used by the daemon beside the etcd that leads.
 *
 * Invariants: what is decided lies in the store, so that whoever leads next goes on with it; nothing is decided again for minutes; nothing is started anew
 * unless every voter answers.
 */
import type { Voter } from "../../api/store-schemas.ts";
import type { Logger } from "../../host/logger.ts";
import { type ConnectionRow, mesh } from "../../membership/connection-rows.ts";
import type { Entry, StoreStatus } from "../../store/store.ts";
import {
  type EtcdTiming,
  isSameTiming,
  LEAST_TIMING,
  type Measured,
  neededMs,
} from "../../store/store-times.ts";
import { encodeTimes, type StoreTimes, TIMES_KEY, timesIn } from "../../store/times-entry.ts";
import { nextToRetime, type TimedVoter } from "../../store/times-plan.ts";
import { TimingWindow } from "../../store/timing-window.ts";
import { nodeOf, type StoreMember, type VoterNode, WITNESS } from "../../store/voter-plan.ts";
import type { VoterLink } from "../votes/etcd-connections.ts";
import type { VoterLead } from "../votes/voter-lead.ts";
import type { VoterPlace } from "../votes/voter-place.ts";

export interface StoreTimingOptions {
  readonly place: Pick<VoterPlace, "timing" | "retime">;
  readonly lead: Pick<VoterLead, "nodes" | "ask" | "tell">;
  /** Everybody's connections, by the member's name in gossip. */
  readonly rows: () => ReadonlyMap<string, ConnectionRow>;
  /** Of this node's own disk. */
  readonly fsyncMs: (nowMs: number) => number | undefined;
  /** From this node to the witness and back. */
  readonly witnessMs: () => number | undefined;
  readonly wallMs: () => number;
  readonly logger: Logger;
  /** All goes so many times as fast, for tests. */
  readonly pace: number;
}

const EVERY_MS = 10_000;
/** While voters are started anew one after another. */
const BUSY_EVERY_MS = 2000;
/** After a voter that refused, or did not answer in time. */
const FAILED_MS = 60_000;
/** What is asked of other voters: every so many looks. */
const ASK_EVERY = 3;
/** From one decision to the next. */
const CHANGE_MS = 300_000;
/** To end etcd, which hands over before, and to start it again. */
const RETIME_MS = 20_000;
/** A voter that is behind by no more has all but the last moments. */
const NEAR_ENTRIES = 1000n;

interface Asked extends TimedVoter {
  readonly node: VoterNode | undefined;
  readonly fsyncMs: number | undefined;
  readonly witnessMs: number | undefined;
}

export class StoreTiming {
  readonly #options: StoreTimingOptions;
  readonly #window: TimingWindow;
  #nextMs = 0;
  #looks = 0;
  #asked: readonly Asked[] = [];

  constructor(options: StoreTimingOptions) {
    this.#options = options;
    this.#window = new TimingWindow(options.pace);
  }

  /** Takes one step, where there is one. Throws as the store and the nodes do. */
  async look(link: VoterLink, status: StoreStatus, nowMs: number): Promise<void> {
    if (nowMs < this.#nextMs) return;
    const { pace } = this.#options;
    this.#nextMs = nowMs + EVERY_MS / pace;
    const [members, { entry }] = await Promise.all([
      link.voters.list(),
      link.store.get(TIMES_KEY, { consistency: "local" }),
    ]);
    if (this.#looks++ % ASK_EVERY === 0) this.#asked = await this.#ask(members, status, nowMs);
    const written = timesIn(entry?.value);
    const wanted = written?.timing ?? LEAST_TIMING;
    const measured = this.#measured(members);
    const needed = neededMs(measured);
    // Of one that is away nobody knows what it needs: the times stay for it, and may grow.
    this.#window.note(
      this.#isWhole(members) ? needed : Math.max(needed, wanted.heartbeatMs),
      nowMs,
    );
    if (this.#asked.some(({ timing }) => timing && !isSameTiming(timing, wanted))) {
      // Unless it succeeds: what else the voters need goes on meanwhile.
      this.#nextMs = nowMs + FAILED_MS / pace;
      await this.#retimeNext(wanted, members, status, nowMs);
      this.#nextMs = nowMs + BUSY_EVERY_MS / pace;
      return;
    }
    const next = this.#window.next(wanted);
    if (next && this.#mayDecide(written)) await this.#decide(next, measured, entry, link);
  }

  #mayDecide(written: StoreTimes | undefined): boolean {
    const { wallMs, pace } = this.#options;
    const agoMs = wallMs() - (written?.sinceMs ?? 0);
    // Of a clock that was ahead it is not known how long ago it was.
    return agoMs < 0 || agoMs >= CHANGE_MS / pace;
  }

  async #decide(
    timing: EtcdTiming,
    measured: Measured,
    entry: Entry | undefined,
    { store }: VoterLink,
  ): Promise<void> {
    const { logger, wallMs } = this.#options;
    const value = encodeTimes({ timing, ...measured, sinceMs: wallMs() });
    const { ok } = await store.commit({
      conditions: [{ key: TIMES_KEY, revision: entry?.revision ?? 0n }],
      writes: [{ type: "put", key: TIMES_KEY, value }],
    });
    if (!ok) return;
    this.#window.clear();
    this.#looks = 0;
    logger.info("the store's voters are to have other times", { ...timing, ...measured });
  }

  async #retimeNext(
    wanted: EtcdTiming,
    members: readonly StoreMember[],
    status: StoreStatus,
    nowMs: number,
  ): Promise<void> {
    const { lead, place, logger } = this.#options;
    // Known to be so now, and not some looks ago.
    const asked = await this.#ask(members, status, nowMs);
    this.#asked = asked;
    const hasLearner = members.some(({ isLearner }) => isLearner);
    const next = nextToRetime({ voters: asked, hasLearner, wanted });
    const voter = asked.find(({ member }) => member === next?.member);
    if (voter === undefined) return;
    const name = voter.node?.name ?? "this node";
    logger.info("a voter's etcd is started anew with other times", { voter: name, ...wanted });
    if (voter.leads) await place.retime(wanted);
    else if (voter.node) await lead.tell(voter.node, "/v1/store/times", wanted, RETIME_MS);
  }

  /** The voters, by the word of each one's own daemon. */
  #ask(members: readonly StoreMember[], status: StoreStatus, nowMs: number): Promise<Asked[]> {
    const nodes = this.#options.lead.nodes();
    return Promise.all(
      votersOf(members).map(async ({ id: member, ...each }): Promise<Asked> => {
        const node = nodeOf({ ...each }, nodes);
        if (member === status.member) {
          const { place, fsyncMs, witnessMs } = this.#options;
          const own = { timing: place.timing, fsyncMs: fsyncMs(nowMs), witnessMs: witnessMs() };
          return { member, node, leads: true, isReady: true, ...own };
        }
        const voter = node?.isHeard === true ? await this.#options.lead.ask(node.id) : undefined;
        return { member, node, leads: false, ...saidBy(voter, status) };
      }),
    );
  }

  #measured(members: readonly StoreMember[]): Measured {
    const fsyncs = this.#asked.map(({ fsyncMs }) => fsyncMs);
    const trips = [...this.#roundTrips(members), ...this.#toWitness(members)];
    return { roundTripMs: longest(trips), fsyncMs: longest(fsyncs) };
  }

  /** Those that are known, one for each two voters. */
  #roundTrips(members: readonly StoreMember[]): number[] {
    const rows = this.#options.rows();
    const names = new Set(nodesOf(members).map(({ name }) => name));
    const own = [...names].flatMap((name) => rows.get(name) ?? []);
    return mesh(own)
      .filter(({ from, to, state }) => names.has(from) && names.has(to) && state === "established")
      .flatMap(({ rttMs }) => rttMs ?? []);
  }

  /** From each voter to the witness, where that has a vote; undefined: not known. */
  #toWitness(members: readonly StoreMember[]): (number | undefined)[] {
    const nodes = nodesOf(members);
    if (nodes.length === votersOf(members).length) return [];
    return nodes.map(({ id }) => this.#asked.find(({ member }) => member === id)?.witnessMs);
  }

  /** Every voter told of itself, and the way between each two nodes of them is measured. */
  #isWhole(members: readonly StoreMember[]): boolean {
    const { length } = nodesOf(members);
    const told = this.#asked.filter(({ timing }) => timing !== undefined).length;
    return (
      told === votersOf(members).length &&
      this.#toWitness(members).every((witnessMs) => witnessMs !== undefined) &&
      this.#roundTrips(members).length === (length * (length - 1)) / 2
    );
  }
}

function votersOf(members: readonly StoreMember[]): StoreMember[] {
  return members.filter(({ isLearner }) => !isLearner);
}

/** The witness aside, which is in nobody's rows. */
function nodesOf(members: readonly StoreMember[]): StoreMember[] {
  return votersOf(members).filter(({ name }) => !name.startsWith(`${WITNESS}-`));
}

function saidBy(
  voter: Voter | undefined,
  { member, applied }: StoreStatus,
): Pick<Asked, "isReady" | "timing" | "fsyncMs" | "witnessMs"> {
  const unknown = { timing: undefined, fsyncMs: undefined, witnessMs: undefined };
  if (voter === undefined) return { isReady: false, ...unknown };
  const isNear = applied - BigInt(voter.applied) <= NEAR_ENTRIES;
  const { heartbeatMs, electionMs, fsyncMs, witnessMs } = voter.times ?? {};
  const isTold = heartbeatMs !== undefined && electionMs !== undefined;
  return {
    isReady: voter.leader === member.toString(16) && isNear && !voter.isLate,
    timing: isTold ? { heartbeatMs, electionMs } : undefined,
    fsyncMs: fsyncMs ?? undefined,
    witnessMs: witnessMs ?? undefined,
  };
}

function longest(amounts: readonly (number | undefined)[]): number | undefined {
  const known = amounts.filter((each) => each !== undefined);
  return known.length === 0 ? undefined : Math.round(Math.max(...known) * 10) / 10;
}
