/**
 * Everybody's row of connections, as this node knows them: taken from gossip, passed on, and ours told anew when it changed.
 *
 * Bounded: rows belong to members; a few may come before their owner does, and go when it does not.
 */
import {
  type ConnectionRow,
  decodeRow,
  encodeRow,
  mergeRow,
  type RowConnection,
} from "../../membership/connection-rows.ts";
import type { MemberView } from "../../membership/machine.ts";
import { decodeMetadata } from "../../membership/metadata.ts";

/** Bytes of a row that still fits a gossip packet with label, encryption and headers: about 100 connections. */
const MAX_BROADCAST_ROW = 1_100;
/** Rows kept at most while their owners are not known as members. */
const MAX_ROWS = 4_096;

export interface RowBoardOptions {
  /** Our member's name, and the number of this life of the daemon. */
  readonly name: string;
  readonly boot: number;
  readonly member: (name: string) => MemberView | undefined;
}

export class RowBoard {
  readonly #options: RowBoardOptions;
  readonly #rows = new Map<string, ConnectionRow>();

  constructor(options: RowBoardOptions) {
    this.#options = options;
  }

  get rows(): ReadonlyMap<string, ConnectionRow> {
    return this.#rows;
  }

  /** Our connections as they are now: the row to broadcast, when it differs from what was told and fits a packet. A larger one goes with each push/pull. */
  setOwn(connections: readonly RowConnection[]): Uint8Array | undefined {
    const { name, boot } = this.#options;
    const current = this.#rows.get(name);
    if (current && sameConnections(current.connections, connections)) return undefined;
    const row = { owner: name, boot, version: (current?.version ?? 0) + 1, connections };
    this.#rows.set(name, row);
    const bytes = encodeRow(row);
    return bytes.length <= MAX_BROADCAST_ROW ? bytes : undefined;
  }

  /** Takes another node's row; true when it was news. */
  take(bytes: Uint8Array): boolean {
    const row = decodeRow(bytes);
    if (!row || row.owner === this.#options.name) return false;
    const owner = this.#options.member(row.owner);
    if (owner?.state === "left") return false;
    if (!owner && !this.#rows.has(row.owner) && this.#rows.size >= MAX_ROWS) return false;
    return mergeRow(this.#rows, row, owner && decodeMetadata(owner.meta)?.boot);
  }

  /** The rows of members, for a push/pull. */
  encoded(): Uint8Array[] {
    return [...this.#rows.values()]
      .filter(({ owner }) => this.#options.member(owner))
      .map((row) => encodeRow(row));
  }

  drop(owner: string): void {
    this.#rows.delete(owner);
  }

  /** Drops rows that came before, or instead of, their owner. */
  dropStrangers(): void {
    for (const owner of this.#rows.keys()) {
      if (!this.#options.member(owner)) this.#rows.delete(owner);
    }
  }
}

/** Round-trip times wander; they are told again only when they changed by 5 ms and half. */
function sameConnections(a: readonly RowConnection[], b: readonly RowConnection[]): boolean {
  return (
    a.length === b.length &&
    a.every((old, index) => {
      const now = b[index];
      if (!now || old.peer !== now.peer || old.keyFingerprint !== now.keyFingerprint) return false;
      if (old.state !== now.state || old.mtu !== now.mtu) return false;
      if (old.backend !== now.backend || old.via !== now.via) return false;
      const [before, after] = [old.rttMs ?? 0, now.rttMs ?? 0];
      return Math.abs(before - after) <= 5 + before / 2;
    })
  );
}
