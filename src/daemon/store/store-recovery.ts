/**
 * Makes the store anew where its majority is gone: looks at the copies in reach, asks the rules, and has this node begin the next generation.
 *
 * Invariant: whatever fails, or dies, before the new store has all of the copy leaves what was there before.
 */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { CopiesInReach, Refounded } from "../../api/store-schemas.ts";
import { codedSentence, HansaError, isHansaError } from "../../errors.ts";
import { readIfExists } from "../../host/files.ts";
import {
  type CopyInReach,
  chosenCopy,
  newestCopy,
  type RecoveryFacts,
  refoundedCopy,
  refuseMissing,
  restoredCopy,
} from "../../store/recovery-plan.ts";
import { decodeStoreCopy, type NamedStore, type StoreCopy } from "../../store/store-copy.ts";
import { lineageOf, nextMark, type StoreMark } from "../../store/store-mark.ts";
import { witnessMember, witnessTitle } from "../../store/witness-record.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { isHeard } from "../membership/roster.ts";
import type { WitnessLink } from "../votes/witness-link.ts";
import type { CopiesFound, CopyDesk } from "./copy-desk.ts";
import type { RecoveryTurns } from "./recovery-turns.ts";
import type { StoreLoop } from "./store-loop.ts";

export interface StoreRecoveryOptions {
  readonly self: { readonly id: number; readonly name: string };
  readonly desk: Pick<CopyDesk, "own" | "of" | "fetch">;
  readonly loop: Pick<StoreLoop, "refound">;
  readonly membership: Pick<MembershipLoop, "roster">;
  /** The voter that is no node. */
  readonly witness: { readonly link: Pick<WitnessLink, "record" | "state"> | undefined };
  readonly turns: Pick<RecoveryTurns, "hold">;
  /** Of a member's node that nobody hears; undefined where nobody knows. */
  readonly nameOf: (member: string) => string | undefined;
  /** Where `hansa restore` puts the file that is to be restored. */
  readonly stateDir: string;
  /** How long this node's own etcd may take to answer. */
  readonly patienceMs?: number;
}

/** In the state directory, so that only root can have put it there. */
export const RESTORE_FILE = "restore.hansa";

interface Looked extends RecoveryFacts {
  /** Nodes that are heard and could not be asked, or whose etcd cannot be read, and why. */
  readonly silent: readonly string[];
  /** Of all stores that anybody named, as text. */
  readonly marks: ReadonlySet<string>;
}

/** What a store is made anew from. */
interface Basis {
  readonly name: string;
  readonly known: readonly NamedStore[];
  /** What it replaces; undefined: nothing, or the copy itself. */
  readonly current: StoreCopy | undefined;
  readonly from: CopyInReach["node"] | undefined;
  readonly facts: Looked;
}

const BROKEN = "its etcd cannot be read";
const OWN_MS = 5000;
const LOOK_MS = 200;

const markText = ({ id, generation }: StoreMark): string => `${id} ${generation}`;

export class StoreRecovery {
  readonly #options: StoreRecoveryOptions;

  constructor(options: StoreRecoveryOptions) {
    this.#options = options;
  }

  /** Takes away what a restore left that was killed before this daemon took the file. Throws as `rm`. */
  async begin(): Promise<void> {
    await rm(join(this.#options.stateDir, RESTORE_FILE), { force: true });
  }

  /** What there is to make the store anew from, and whether `expected` votes would be refused. */
  async inReach(expected: number): Promise<CopiesInReach> {
    const facts = await this.#look();
    const copies = facts.copies.map((copy) => ({
      ...{ ...copy, voters: [...copy.voters], revision: `${copy.revision}`, isChosen: false },
    }));
    try {
      const chosen = chosenCopy(expected, facts);
      const at = facts.copies.indexOf(chosen);
      return {
        copies: copies.map((copy, index) => ({ ...copy, isChosen: index === at })),
        ...{ silent: [...facts.silent], refused: null },
      };
    } catch (error) {
      if (!(error instanceof HansaError)) throw error;
      const { code, message, hint } = error;
      return { copies, silent: [...facts.silent], refused: { code, message, hint: hint ?? null } };
    }
  }

  /** Throws STORE_QUORATE, STORE_REFUSED, STORE_NONE, STORE_OTHER, and as `VoterPlace.refound`. */
  async expect(expected: number): Promise<Refounded> {
    const facts = await this.#look();
    const chosen = chosenCopy(expected, facts);
    const copy = await this.#options.desk.fetch(chosen);
    const name = chosen.store.name;
    const known = this.#known(facts);
    return await this.#refound(copy, {
      ...{ name, known, current: undefined, from: chosen.node, facts },
    });
  }

  /**
   * From the file that lies at RESTORE_FILE, which is gone afterwards; of one that is refused whoever put it there takes it away, or the next start. Throws STATE_DAMAGED; STORE_OTHER, and STORE_REFUSED while votes are missing that may go on
   * elsewhere, unless `isForced`; and as `VoterPlace.refound`.
   */
  async restore(isForced: boolean): Promise<Refounded> {
    const path = join(this.#options.stateDir, RESTORE_FILE);
    const decoded = decodeStoreCopy((await readIfExists(path)) ?? new Uint8Array());
    if (!decoded.ok) {
      const hint = "name a file that hansa backup wrote";
      throw new HansaError("STATE_DAMAGED", `the file ${decoded.reason}`, { hint });
    }
    const { copy } = decoded;
    const facts = await this.#look();
    const newest = facts.copies.length > 0 ? newestCopy(facts.copies) : undefined;
    const own = newest?.store;
    if (own && lineageOf(own) !== lineageOf(copy.store) && !isForced) {
      const text = `the file is of the store ${copy.store.name} (${copy.store.id}), this cluster's is ${own.name} (${own.id})`;
      throw new HansaError("STORE_OTHER", text, { hint: "--force puts its content into ours" });
    }
    if (!isForced) refuseMissing(facts);
    const current = newest && (await this.#options.desk.fetch(newest));
    const known = own ? this.#known(facts) : [...this.#known(facts), copy.store];
    const done = await this.#refound(restoredCopy(copy, current), {
      ...{ name: own?.name ?? copy.store.name, known, current, from: undefined, facts },
    });
    await rm(path, { force: true });
    return done;
  }

  async #refound(copy: StoreCopy, basis: Basis): Promise<Refounded> {
    const { name, known, current, from, facts } = basis;
    const { self, loop, membership, turns } = this.#options;
    const store = { ...nextMark(known, Date.now(), randomBytes(4).toString("hex")), name };
    const member = membership.roster().self.member.name;
    const next = refoundedCopy(copy, { id: self.id, member }, current);
    await turns.hold((told) => loop.refound(store, next, () => this.#refuseNews(facts, told)));
    const { revision, takenAtMs, entries } = copy;
    return {
      ...{ store, from: from ?? null, revision: `${revision}` },
      ...{ takenAtMs, entries: entries.length },
    };
  }

  /** Whoever came first with another recovery, here or elsewhere, made what was looked at old; `told`: what others just said. Throws STORE_REFUSED. */
  #refuseNews({ marks }: Looked, told: readonly StoreMark[]): void {
    const news = [...this.#told(), ...told].find((mark) => !marks.has(markText(mark)));
    if (news === undefined) return;
    const text = `a store of generation ${news.generation} (${news.id}) came up meanwhile: nothing was changed`;
    throw new HansaError("STORE_REFUSED", text, { hint: "look at it first: hansa store" });
  }

  /** What this node and those that are heard say they hold to. */
  #told(): StoreMark[] {
    const { self, peers } = this.#options.membership.roster();
    return [self, ...peers.filter(isHeard)].flatMap(({ metadata }) => metadata.store ?? []);
  }

  /** All marks of the newest store's lineage that anybody names, dead or alive. */
  #known({ copies }: RecoveryFacts): NamedStore[] {
    if (copies.length === 0) return [];
    const { store } = newestCopy(copies);
    const { self, peers } = this.#options.membership.roster();
    const told = [self, ...peers].flatMap(({ metadata }) => metadata.store ?? []);
    const all = [
      ...copies.map((copy) => copy.store),
      ...told.map((mark) => ({ ...store, ...mark })),
    ];
    return all.filter((mark) => lineageOf(mark) === lineageOf(store));
  }

  async #look(): Promise<Looked> {
    const { desk, membership, self: me } = this.#options;
    const roster = membership.roster();
    const heard = new Map<string, string>();
    const silent: string[] = [];
    const copies: CopyInReach[] = [];
    let quorate: string | undefined;
    const marks = new Set(this.#told().map(markText));
    const own = await this.#own();
    copies.push(...own.copies);
    if (own.isBroken) silent.push(`${me.name} (node ${me.id}), which is this one: ${BROKEN}`);
    if (own.copies.some(({ source }) => source === "voter")) {
      heard.set(roster.self.member.name, `${me.name} (node ${me.id})`);
    }
    if (own.isQuorate) quorate = "this node itself";
    await Promise.all(
      roster.peers.filter(isHeard).map(async ({ metadata, member }) => {
        const { id, name } = metadata;
        const title = `${name} (node ${id})`;
        try {
          const found = await desk.of({ id, name });
          copies.push(...found.copies);
          if (found.isQuorate) quorate ??= title;
          // One that is slow or starts may answer others, or in a moment, and be newer than all.
          const hasVote = found.copies.some(({ source }) => source === "voter");
          if (hasVote || found.isBroken) heard.set(member.name, title);
          if (found.isBroken) silent.push(`${title}: ${BROKEN}`);
        } catch (error) {
          if (!isHansaError(error)) throw error;
          silent.push(`${title}: ${codedSentence(error)}`);
          // It may answer others, or in a moment.
          if (metadata.store) heard.set(member.name, title);
        }
      }),
    );
    const { link } = this.#options.witness;
    if (link?.state.mark) heard.set(witnessMember(link.record), witnessTitle(link.record));
    for (const { store } of copies) marks.add(markText(store));
    const self = roster.self.member.name;
    return { copies, quorate, heard, self, silent, marks, nameOf: this.#options.nameOf };
  }

  /** An etcd that was started just now has more than the mirror beside it. */
  async #own(): Promise<CopiesFound> {
    const { desk, patienceMs = OWN_MS } = this.#options;
    const endMs = performance.now() + patienceMs;
    for (;;) {
      const found = await desk.own();
      if (!found.isBroken || performance.now() > endMs) return found;
      await delay(LOOK_MS);
    }
  }
}
