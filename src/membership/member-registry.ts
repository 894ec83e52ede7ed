/**
 * Names and the announced facts of members, interned, so that many member tables in one place (a simulation) share them.
 *
 * Invariant: a record lives as long as some table counts on it, and equal facts of one name are one record. Numbers of
 * names and records are small, dense and reused; a table keeps only them.
 */
import type { Endpoint } from "../values/endpoint.ts";
import type { RemoteMember, Versions } from "./message.ts";

/** What a member announces about itself, apart from its incarnation. */
export interface MemberFacts {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly meta: Uint8Array;
  readonly versions: Versions;
}

export interface MemberRecord extends MemberFacts {
  readonly nameId: number;
  /** How it last travelled: nearly always the same again, for all whose record this is. */
  lastShown: RemoteMember | undefined;
}

interface Holding {
  readonly nameId: number;
  /** Nearly always one; more while a change of facts travels between the tables. */
  readonly recordIds: number[];
}

export class MemberRegistry {
  readonly #holdings = new Map<string, Holding>();
  readonly #records: (MemberRecord | undefined)[] = [];
  readonly #uses: number[] = [];
  readonly #freeRecords: number[] = [];
  readonly #freeNames: number[] = [];
  #nameCount = 0;

  /** The number of a name that some table holds, or -1. */
  nameId(name: string): number {
    return this.#holdings.get(name)?.nameId ?? -1;
  }

  /** All name ids are below this. */
  get nameLimit(): number {
    return this.#nameCount;
  }

  record(recordId: number): MemberRecord {
    const record = this.#records[recordId];
    if (record === undefined) throw new RangeError(`no member record ${recordId}`);
    return record;
  }

  /** The record with exactly these facts, made when missing; each acquire wants one release. */
  acquire(facts: MemberFacts): number {
    let holding = this.#holdings.get(facts.name);
    if (holding === undefined) {
      holding = { nameId: this.#freeNames.pop() ?? this.#nameCount++, recordIds: [] };
      this.#holdings.set(facts.name, holding);
    }
    for (const recordId of holding.recordIds) {
      if (sameFacts(this.record(recordId), facts)) {
        this.#uses[recordId]! += 1;
        return recordId;
      }
    }
    const recordId = this.#freeRecords.pop() ?? this.#records.length;
    this.#records[recordId] = {
      nameId: holding.nameId,
      name: facts.name,
      endpoint: facts.endpoint,
      // A slice of a packet would keep the whole packet in memory.
      meta:
        facts.meta.byteLength === facts.meta.buffer.byteLength ? facts.meta : facts.meta.slice(),
      versions: facts.versions,
      lastShown: undefined,
    };
    this.#uses[recordId] = 1;
    holding.recordIds.push(recordId);
    return recordId;
  }

  /** Counts one more holder of a record that is held already. */
  retain(recordId: number): void {
    this.#uses[recordId]! += 1;
  }

  release(recordId: number): void {
    const uses = (this.#uses[recordId] ?? 0) - 1;
    this.#uses[recordId] = uses;
    if (uses > 0) return;
    const { name, nameId } = this.record(recordId);
    this.#records[recordId] = undefined;
    this.#freeRecords.push(recordId);
    const recordIds = this.#holdings.get(name)?.recordIds ?? [];
    recordIds.splice(recordIds.indexOf(recordId), 1);
    if (recordIds.length > 0) return;
    this.#holdings.delete(name);
    this.#freeNames.push(nameId);
  }
}

/** Whether both announce the same endpoint, metadata and versions. */
export function sameFacts(a: MemberFacts, b: MemberFacts): boolean {
  return (
    a === b ||
    (sameEndpoint(a.endpoint, b.endpoint) && sameBytes(a.meta, b.meta) && sameVersions(a, b))
  );
}

export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a === b || (a.port === b.port && a.ip === b.ip);
}

function sameVersions(a: MemberFacts, b: MemberFacts): boolean {
  return (
    a.versions === b.versions || a.versions.every((value, index) => value === b.versions[index])
  );
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}
