/**
 * All that is known of certificates for people and programs: who holds what, and what is called back. Pure.
 *
 * Invariants: the set joins in any order to the same set; what is called back stays so whatever any clock shows, up to a bound in number. Only
 * the memory of what was made, which decides nothing, goes by the clock.
 */
import {
  isSerial,
  MAX_GENERATION,
  readSerial,
  type SerialStamp,
} from "../values/certificate-serial.ts";
import {
  type CertificateRecord,
  type IssuedRecord,
  joined,
  type RevokedRecord,
  recordKey,
  type ShutOutRecord,
} from "./certificate-record.ts";

/** Kept at most. Of what was made, those that end first are forgotten beyond that. */
export const MAX_ISSUED = 2_048;
/** Beyond this the API takes no more, and of those that come from others the ones that end first are forgotten. */
export const MAX_REVOKED = 4_096;
export const MAX_SHUT_OUT = 1_024;
/** So many are kept though their certificates have expired by the clock, which may be wrong. */
const KEPT_EXPIRED = 1_024;
const DAY = 86_400;
/** A certificate lives for ten years at most. */
export const LONGEST_LIFE = 3_650 * DAY;

/** Whose certificate it is. */
export interface Shown {
  readonly name: string;
  /** Lower-case hex. */
  readonly serial: string;
}

export class CertificateRecords {
  readonly #issued = new Map<string, IssuedRecord>();
  readonly #revoked = new Map<string, RevokedRecord>();
  readonly #shutOut = new Map<string, ShutOutRecord>();

  get issued(): readonly IssuedRecord[] {
    return sorted([...this.#issued.values()]);
  }

  get revoked(): readonly RevokedRecord[] {
    return sorted([...this.#revoked.values()]);
  }

  get shutOut(): readonly ShutOutRecord[] {
    return sorted([...this.#shutOut.values()]);
  }

  /** All of it; equal sets give equal lists. */
  list(): CertificateRecord[] {
    return [...this.issued, ...this.revoked, ...this.shutOut];
  }

  /** Joins `records`; those that were news and are kept, as they are now. `now`: seconds since 1970. */
  add(records: readonly CertificateRecord[], now: number): CertificateRecord[] {
    const news = new Map<string, CertificateRecord>();
    for (const record of records) {
      const map = this.#mapOf(record);
      const subject = subjectOf(record);
      const known = map.get(subject);
      const both = known === undefined ? record : joined(known, record);
      if (known !== undefined && JSON.stringify(both) === JSON.stringify(known)) continue;
      map.set(subject, both);
      news.set(recordKey(both), both);
    }
    this.prune(now);
    return [...news.values()].filter((each) => this.#mapOf(each).get(subjectOf(each)) === each);
  }

  /** Forgets what ended a day ago, and what there is no room for. */
  prune(now: number): void {
    for (const { serial, expires } of this.#issued.values()) {
      if (expires + DAY < now) this.#issued.delete(serial);
    }
    cut(this.#issued, this.#issued.size - MAX_ISSUED, (record) => record.expires);
    const ended = [...this.#revoked.values()].filter(({ expires }) => expires + DAY < now).length;
    const spare = Math.min(ended, this.#revoked.size - KEPT_EXPIRED);
    cut(this.#revoked, Math.max(spare, this.#revoked.size - MAX_REVOKED), (each) => each.expires);
    cut(this.#shutOut, this.#shutOut.size - MAX_SHUT_OUT, (record) => record.before);
  }

  /** Whether there is room for one more revocation of either kind. */
  get hasRoom(): boolean {
    return this.#revoked.size < MAX_REVOKED && this.#shutOut.size < MAX_SHUT_OUT;
  }

  /** Why a certificate is not good any more; undefined when it was not called back. */
  revocationOf({ name, serial }: Shown): RevokedRecord | ShutOutRecord | undefined {
    const revoked = this.#revoked.get(serial);
    if (revoked !== undefined) return revoked;
    const shutOut = this.#shutOut.get(name);
    if (shutOut === undefined) return undefined;
    const { madeAt, generation } = readSerial(serial);
    const isOld = madeAt <= shutOut.before || generation < shutOut.generation;
    return isOld ? shutOut : undefined;
  }

  /** The stamp for a certificate that is made `now` for `name`: one that nothing known shuts out, whatever the clocks of others showed. */
  stampFor(name: string, now: number): SerialStamp {
    const shutOut = this.#shutOut.get(name);
    if (shutOut === undefined) return { madeAt: now, generation: 0 };
    return { madeAt: Math.max(now, shutOut.before + 1), generation: shutOut.generation };
  }

  /** The record that calls one certificate back. Throws RangeError for what is no serial. */
  revocation(serial: string, by: string, now: number): RevokedRecord {
    if (!isSerial(serial)) throw new RangeError("no serial");
    const expires = this.#issued.get(serial)?.expires ?? now + LONGEST_LIFE;
    return { kind: "revoked", serial, at: now, by, expires };
  }

  /**
   * The record that calls all certificates of `name` back that were made until now. The generation does it where the clock of the node that made one
   * was ahead, the time where two halves of a split did it both.
   */
  shuttingOut(name: string, by: string, now: number): ShutOutRecord {
    const known = this.#shutOut.get(name);
    const stamps = [...this.#issued.values()]
      .filter((record) => record.name === name)
      .map(({ serial }) => readSerial(serial).madeAt);
    const before = Math.max(now, known?.before ?? 0, ...stamps);
    const generation = Math.min(MAX_GENERATION, (known?.generation ?? 0) + 1);
    return { kind: "shut-out", name, before, generation, at: now, by };
  }

  #mapOf(record: CertificateRecord): Map<string, CertificateRecord> {
    if (record.kind === "issued") return this.#issued as Map<string, CertificateRecord>;
    if (record.kind === "revoked") return this.#revoked as Map<string, CertificateRecord>;
    return this.#shutOut as Map<string, CertificateRecord>;
  }
}

function subjectOf(record: CertificateRecord): string {
  return record.kind === "shut-out" ? record.name : record.serial;
}

/** The oldest first. */
function sorted<R extends CertificateRecord>(records: R[]): R[] {
  return records.sort(
    (a, b) =>
      a.at - b.at || (subjectOf(a) < subjectOf(b) ? -1 : Number(subjectOf(a) > subjectOf(b))),
  );
}

/** Takes away `excess` records, the lowest by `rank` first; of equals the same everywhere. */
function cut<R extends CertificateRecord>(
  map: Map<string, R>,
  excess: number,
  rank: (record: R) => number,
): void {
  if (excess <= 0) return;
  const order = [...map].sort(
    ([keyA, a], [keyB, b]) => rank(a) - rank(b) || (keyA < keyB ? -1 : Number(keyA > keyB)),
  );
  for (const [key] of order.slice(0, excess)) map.delete(key);
}
