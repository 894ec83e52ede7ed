/**
 * Makes the store anew where its majority is gone: looks at the copies in reach, asks the rules, and has this node begin the next generation.
 *
 * Invariant: whatever fails, or dies, before the new store has all of the copy leaves what was there before.
 */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { CopiesInReach, Refounded } from "../api/store-schemas.ts";
import { codedSentence, HansaError, isHansaError } from "../errors.ts";
import { readIfExists } from "../host/files.ts";
import {
  type CopyInReach,
  chosenCopy,
  newestCopy,
  type RecoveryFacts,
  refoundedCopy,
} from "../store/recovery-plan.ts";
import { decodeStoreCopy, type NamedStore, type StoreCopy } from "../store/store-copy.ts";
import { lineageOf, nextMark } from "../store/store-mark.ts";
import type { CopyDesk } from "./copy-desk.ts";
import type { MembershipLoop } from "./membership-loop.ts";
import { isHeard } from "./roster.ts";
import type { StoreLoop } from "./store-loop.ts";

export interface StoreRecoveryOptions {
  readonly self: { readonly id: number; readonly name: string };
  readonly desk: CopyDesk;
  readonly loop: Pick<StoreLoop, "refound">;
  readonly membership: Pick<MembershipLoop, "roster">;
  /** Where `hansa restore` puts the file that is to be restored. */
  readonly stateDir: string;
}

/** In the state directory, so that only root can have put it there. */
export const RESTORE_FILE = "restore.hansa";

interface Looked extends RecoveryFacts {
  /** Nodes that are heard and could not be asked, and why. */
  readonly silent: readonly string[];
}

export class StoreRecovery {
  readonly #options: StoreRecoveryOptions;

  constructor(options: StoreRecoveryOptions) {
    this.#options = options;
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
    return await this.#refound(copy, name, this.#known(facts), chosen.node);
  }

  /** From the file that lies at RESTORE_FILE, which is gone afterwards. Throws STATE_DAMAGED, STORE_OTHER, STORE_QUORATE, and as `VoterPlace.refound`. */
  async restore(isForced: boolean): Promise<Refounded> {
    const path = join(this.#options.stateDir, RESTORE_FILE);
    const decoded = decodeStoreCopy((await readIfExists(path)) ?? new Uint8Array());
    if (!decoded.ok) throw new HansaError("STATE_DAMAGED", `the file ${decoded.reason}`);
    const { copy } = decoded;
    const facts = await this.#look();
    const own = facts.copies.length > 0 ? newestCopy(facts.copies).store : undefined;
    if (own && lineageOf(own) !== lineageOf(copy.store) && !isForced) {
      const text = `the file is of the store ${copy.store.name} (${copy.store.id}), this cluster's is ${own.name} (${own.id})`;
      throw new HansaError("STORE_OTHER", text, { hint: "--force puts its content into ours" });
    }
    // Of another store only the content is taken.
    const known = own ? this.#known(facts) : [...this.#known(facts), copy.store];
    const done = await this.#refound(copy, own?.name ?? copy.store.name, known, undefined);
    await rm(path, { force: true });
    return done;
  }

  async #refound(
    copy: StoreCopy,
    name: string,
    known: readonly NamedStore[],
    from: CopyInReach["node"] | undefined,
  ): Promise<Refounded> {
    const { self, loop, membership } = this.#options;
    const store = { ...nextMark(known, randomBytes(4).toString("hex")), name };
    const member = membership.roster().self.member.name;
    await loop.refound(store, refoundedCopy(copy, { id: self.id, member }));
    const { revision, takenAtMs, entries } = copy;
    return {
      ...{ store, from: from ?? null, revision: `${revision}` },
      ...{ takenAtMs, entries: entries.length },
    };
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
    const { desk, membership, self } = this.#options;
    const roster = membership.roster();
    const heard = new Map<string, string>();
    const silent: string[] = [];
    const copies: CopyInReach[] = [];
    let quorate: string | undefined;
    const own = await desk.own();
    copies.push(...own.copies);
    if (own.copies.some(({ source }) => source === "voter")) {
      heard.set(roster.self.member.name, `${self.name} (node ${self.id})`);
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
          if (found.copies.some(({ source }) => source === "voter")) heard.set(member.name, title);
        } catch (error) {
          if (!isHansaError(error)) throw error;
          silent.push(`${title}: ${codedSentence(error)}`);
          // It may answer others, or in a moment.
          if (metadata.store) heard.set(member.name, title);
        }
      }),
    );
    return { copies, quorate, heard, self: roster.self.member.name, silent };
  }
}
