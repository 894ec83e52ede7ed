/**
 * Who is gone for good: members that left, and members whose addresses were taken over. By key, never by id: the same host launched
 * again has another key and is another member.
 *
 * Invariants: the set only grows, up to a bound, and joins in any order to the same set; a key in it never comes back to life here. It
 * goes to disk and with each push/pull, so that who was away meanwhile learns of it at the first contact, however late.
 */
import type { NodeId } from "../values/node-id.ts";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { formatMemberName } from "./member-name.ts";

/** By their numbers on the wire, which never change meaning. Of two for one key the later in this list holds. */
const CAUSES = ["left", "taken-over"] as const;

export interface Departure {
  readonly id: NodeId;
  /** 8 hex digits. */
  readonly keyFingerprint: string;
  /** "taken-over": nobody asked the member itself, which may come back. */
  readonly cause: (typeof CAUSES)[number];
  /** Seconds since 1970 by the clock of who saw it first. */
  readonly atSeconds: number;
}

/** Kept at most; beyond that the oldest is forgotten. */
export const MAX_DEPARTURES = 4096;
const FORMAT = 1;

export class Departures {
  readonly #byName = new Map<string, Departure>();

  constructor(departures: readonly Departure[] = []) {
    this.add(departures);
  }

  /** By the member's name. */
  get(name: string): Departure | undefined {
    return this.#byName.get(name);
  }

  /** Joins `departures`; those that were news. */
  add(departures: readonly Departure[]): Departure[] {
    const news = departures.filter((departure) => {
      const name = formatMemberName(departure);
      const known = this.#byName.get(name);
      if (known !== undefined && !beats(departure, known)) return false;
      this.#byName.set(name, departure);
      return true;
    });
    const excess = this.#byName.size - MAX_DEPARTURES;
    if (excess > 0) {
      for (const departure of this.list().slice(0, excess)) {
        this.#byName.delete(formatMemberName(departure));
      }
    }
    return news.filter((departure) => this.#byName.get(formatMemberName(departure)) === departure);
  }

  /** The oldest first; equal sets give equal lists. */
  list(): Departure[] {
    return [...this.#byName.values()].sort(
      (a, b) =>
        a.atSeconds - b.atSeconds ||
        a.id - b.id ||
        (a.keyFingerprint < b.keyFingerprint ? -1 : Number(a.keyFingerprint > b.keyFingerprint)),
    );
  }
}

/** 3 bytes and 11 for each. */
export function encodeDepartures(departures: readonly Departure[]): Uint8Array {
  const writer = new ByteWriter().u8(FORMAT).u16(departures.length);
  for (const { id, keyFingerprint, cause, atSeconds } of departures) {
    writer
      .u16(id)
      .u32(Number.parseInt(keyFingerprint, 16))
      .u8(CAUSES.indexOf(cause))
      .u32(atSeconds);
  }
  return writer.finish();
}

/** What was encoded, or undefined when malformed. Never throws; trailing bytes are ignored. */
export function decodeDepartures(bytes: Uint8Array): Departure[] | undefined {
  const reader = new ByteReader(bytes);
  reader.demand(reader.u8() === FORMAT);
  const count = reader.u16();
  reader.demand(count <= MAX_DEPARTURES);
  const departures: Departure[] = [];
  for (let index = 0; index < count && !reader.hasFailed; index++) {
    const id = reader.u16();
    const keyFingerprint = reader.u32().toString(16).padStart(8, "0");
    const cause = CAUSES[reader.u8()];
    const atSeconds = reader.u32();
    reader.demand(id >= 1 && cause !== undefined);
    if (cause === undefined) return undefined;
    departures.push({ id, keyFingerprint, cause, atSeconds });
  }
  return reader.hasFailed ? undefined : departures;
}

/** True for what JSON of ours holds. */
export function isDeparture(value: unknown): value is Departure {
  if (typeof value !== "object" || value === null) return false;
  const { id, keyFingerprint, cause, atSeconds } = value as Record<keyof Departure, unknown>;
  return (
    Number.isInteger(id) &&
    Number(id) >= 1 &&
    Number(id) <= 65535 &&
    typeof keyFingerprint === "string" &&
    /^[0-9a-f]{8}$/.test(keyFingerprint) &&
    CAUSES.some((each) => each === cause) &&
    Number.isInteger(atSeconds) &&
    Number(atSeconds) >= 0 &&
    Number(atSeconds) < 2 ** 32
  );
}

/** A total order, so that all nodes keep the same one of two: the worse cause, then who saw it first. */
function beats(a: Departure, b: Departure): boolean {
  const [causeA, causeB] = [CAUSES.indexOf(a.cause), CAUSES.indexOf(b.cause)];
  return causeA === causeB ? a.atSeconds < b.atSeconds : causeA > causeB;
}
