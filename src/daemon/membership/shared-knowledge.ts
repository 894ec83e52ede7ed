/**
 * What every node knows beside who is a member: everybody's rows of connections and names, kept here, and the address rings and
 * departures and certificates, kept elsewhere. Told whole by each push/pull, and by gossip where it changed.
 *
 * Invariant: all of it merges by its own versions, so it does not matter in which order, or how often, it comes.
 */
import type { ConnectionRow, RowConnection } from "../../membership/connection-rows.ts";
import { type Departure, decodeDepartures, encodeDepartures } from "../../membership/departures.ts";
import type { MemberView } from "../../membership/machine.ts";
import { decodeMetadata } from "../../membership/metadata.ts";
import { type NameNews, NameRegistry } from "../../names/name-registry.ts";
import type { NameEntry } from "../../names/name-set.ts";
import type { Envelope, EnvelopeKind } from "./envelope.ts";
import { RowBoard } from "./row-board.ts";
import { decodeSharedState, encodeSharedState } from "./shared-state.ts";

/** Bytes of names that still fit a gossip packet; what is larger goes with push/pulls only. */
const MAX_BROADCAST_NAMES = 1_100;

export interface SharedKnowledgeOptions {
  /** Our member's name, and the number of this life of the daemon. */
  readonly name: string;
  readonly boot: number;
  readonly member: (name: string) => MemberView | undefined;
  /** Our encoded rings, for each push/pull. */
  readonly rings: () => Uint8Array;
  readonly takeRings: (bytes: Uint8Array) => void;
  /** Who is gone for good, for each push/pull. */
  readonly departures: () => readonly Departure[];
  readonly depart: (departures: readonly Departure[]) => void;
  /** Which certificates there are and are called back, for each push/pull; and what others tell of them, in either way. */
  readonly certificates: () => Uint8Array;
  readonly takeCertificates: (bytes: Uint8Array) => void;
  /** To everybody, by gossip. */
  readonly broadcast: (key: string, kind: EnvelopeKind, body: Uint8Array) => void;
  /** A gossiped row was news, or names were. */
  readonly changed: () => void;
}

export class SharedKnowledge {
  readonly #options: SharedKnowledgeOptions;
  readonly #board: RowBoard;
  readonly #names: NameRegistry;

  constructor(options: SharedKnowledgeOptions) {
    const { name, boot, member } = options;
    this.#options = options;
    this.#board = new RowBoard({ name, boot, member });
    this.#names = new NameRegistry({
      name,
      boot,
      boots: (owner) => {
        const view = member(owner);
        if (view?.state === "left") return "left";
        return (view && decodeMetadata(view.meta)?.boot) ?? "unknown";
      },
    });
  }

  get rows(): ReadonlyMap<string, ConnectionRow> {
    return this.#board.rows;
  }

  /** Everybody's names. */
  get names(): Pick<NameRegistry, "entriesOf" | "revision"> {
    return this.#names;
  }

  /** Our connections as they are now; told to others when they differ from what was told. */
  setConnections(connections: readonly RowConnection[]): void {
    const { name, broadcast } = this.#options;
    const row = this.#board.setOwn(connections);
    if (row) broadcast(`row:${name}`, "row", row);
  }

  /** The containers that run here now, with their names; told to others where they differ from what was told. */
  setNames(entries: readonly NameEntry[]): void {
    this.#tellNames(this.#names.setOwn(entries));
  }

  /** All of it, for a push/pull. */
  encoded(): Uint8Array {
    return encodeSharedState({
      rings: this.#options.rings(),
      rows: this.#board.encoded(),
      names: this.#names.encoded(),
      departures: encodeDepartures(this.#options.departures()),
      certificates: this.#options.certificates(),
    });
  }

  /** Takes in what the other side of a push/pull knows; nothing of it when it cannot be read. */
  merge(state: Uint8Array): void {
    const shared = decodeSharedState(state);
    if (!shared) return;
    this.#options.takeCertificates(shared.certificates);
    for (const row of shared.rows) this.#board.take(row);
    for (const names of shared.names) this.#tellNames(this.#names.take(names));
    // Rings before departures: whoever follows a departed node in its id must know whose its space is now.
    this.#options.takeRings(shared.rings);
    this.#options.depart(decodeDepartures(shared.departures) ?? []);
  }

  /** Takes in what was gossiped; false for an envelope of another kind. */
  take({ kind, body }: Envelope): boolean {
    if (kind === "row") {
      if (this.#board.take(body)) this.#options.changed();
    } else if (kind === "names") {
      this.#tellNames(this.#names.take(body));
    } else if (kind === "ring") {
      this.#options.takeRings(body);
    } else if (kind === "certificates") {
      this.#options.takeCertificates(body);
    } else {
      return false;
    }
    return true;
  }

  /** These members are heard now. */
  reach(heard: ReadonlySet<string>): void {
    this.#names.reach(heard);
  }

  /** Nothing is kept of who is gone for good. */
  drop(owner: string): void {
    this.#board.drop(owner);
    this.#names.drop(owner);
  }

  /** Drops what is kept of who is no member. */
  dropStrangers(): void {
    this.#board.dropStrangers();
    this.#names.dropStrangers();
  }

  #tellNames(news: readonly NameNews[]): void {
    for (const { key, bytes } of news) {
      if (bytes.length <= MAX_BROADCAST_NAMES) this.#options.broadcast(key, "names", bytes);
    }
    if (news.length > 0) this.#options.changed();
  }
}
