/**
 * Keeps this node's link to the witness that the store names, by this node's own copy of it: so that the link is there before there is a majority.
 *
 * Invariant: there is one link, to the witness of the newest record, and none without one.
 */
import type { Voter } from "../../api/store-schemas.ts";
import type { Clock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import type { Entry } from "../../store/store.ts";
import type { StoreMark } from "../../store/store-mark.ts";
import type { StoreTls } from "../../store/store-tls.ts";
import type { VoterNode } from "../../store/voter-plan.ts";
import {
  decodeWitness,
  encodeWitness,
  WITNESS_KEY,
  type WitnessRecord,
  witnessNode,
} from "../../store/witness-record.ts";
import { WitnessLink } from "./witness-link.ts";

export interface WitnessKeeperOptions {
  /** This node's copy of the store. */
  readonly mirror: { get(key: string): Entry | undefined };
  readonly place: {
    readonly record: { readonly store: StoreMark } | undefined;
    readonly isFenced: boolean;
    readonly peerUrl: string;
  };
  /** The store that is in force as this node knows it. */
  readonly mark: () => StoreMark | undefined;
  /** What a node shows to the witness. */
  readonly tls: () => Promise<StoreTls>;
  readonly changed: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class WitnessKeeper {
  readonly #options: WitnessKeeperOptions;
  #link: WitnessLink | undefined;
  #written: string | undefined;
  #hasVote = false;
  #tls: Promise<StoreTls> | undefined;
  #begun = false;

  constructor(options: WitnessKeeperOptions) {
    this.#options = options;
  }

  begin(): void {
    this.#begun = true;
    this.update();
  }

  /** The copy, or this node's vote, may be another. Cheap. */
  update(): void {
    if (!this.#begun) return;
    const record = this.record;
    const written = record && Buffer.from(encodeWitness(record)).toString();
    if (written !== this.#written) {
      this.#link?.close();
      this.#written = written;
      this.#link = record && this.#open(record);
      this.#options.changed();
    }
    const hasVote = this.#raft() !== undefined;
    if (hasVote !== this.#hasVote) this.#link?.wake();
    this.#hasVote = hasVote;
  }

  /** As this node's copy of the store has it. */
  get record(): WitnessRecord | undefined {
    return decodeWitness(this.#options.mirror.get(WITNESS_KEY)?.value);
  }

  get link(): WitnessLink | undefined {
    return this.#link;
  }

  /** As the plan of the voters sees it; undefined without one. */
  get node(): VoterNode | undefined {
    const link = this.#link;
    return link && witnessNode(link.record, link.state);
  }

  voter(): Promise<Voter | undefined> {
    return this.#link?.voter() ?? Promise.resolve(undefined);
  }

  /** What `status` is to warn of, on a node with a vote. */
  get problem(): string | undefined {
    return this.#hasVote ? this.#link?.problem : undefined;
  }

  tls(): Promise<StoreTls> {
    this.#tls ??= this.#options.tls();
    return this.#tls;
  }

  close(): void {
    this.#begun = false;
    this.#link?.close();
  }

  #open(record: WitnessRecord): WitnessLink {
    const { mark, changed, clock, logger } = this.#options;
    return new WitnessLink({
      ...{ record, mark, changed, clock, logger },
      ...{ tls: () => this.tls(), raft: () => this.#raft() },
    });
  }

  #raft(): { readonly ip: string; readonly port: number } | undefined {
    const { place } = this.#options;
    if (place.record === undefined || place.isFenced) return undefined;
    const { hostname, port } = new URL(place.peerUrl);
    return { ip: hostname, port: Number(port) };
  }
}
