/**
 * Who asked for which change, from where, and what came of it: one JSON object a line in audit.log.
 *
 * Invariants: an entry is in the file when `note` returns, or its loss is in the daemon's log; of one caller's refusals at the door so many that the
 * log, of which one older copy is kept, cannot be washed away with them, and the next one says how many were left out. Nothing of a request's body is
 * written.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import type { AuditEntry } from "../../api/create-api.ts";
import { type Rate, TokenBuckets } from "../../api/token-buckets.ts";
import type { ErrorCode } from "../../errors.ts";
import type { Logger } from "../../host/logger.ts";
import { rotateLog } from "../../processes/log-file.ts";

/** Before anything was looked at or done: these cost their caller nothing. */
const AT_THE_DOOR: readonly ErrorCode[] = [
  "API_CERTIFICATE_REFUSED",
  "API_RATE_LIMITED",
  "API_ROLE_MISSING",
];
/** Of one caller, by its certificate. */
const REFUSALS: Rate = { burst: 50, perSecond: 0.2 };
const MAX_CALLERS = 1_024;
/** A burst of changes opens the file once; somebody who moves the log away loses what is written meanwhile to the moved one. */
const OPEN_MS = 1_000;

interface OpenFile {
  readonly descriptor: number;
  readonly sinceMs: number;
}

export class AuditLog {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #wallMs: () => number;
  readonly #refusals = new TokenBuckets(REFUSALS, MAX_CALLERS);
  /** Refusals that were not written, by caller. */
  readonly #leftOut = new Map<string, number>();
  #file: OpenFile | undefined;
  /** The last entry may be there in part, without its end. */
  #isBroken = false;

  /** The file is made with the first entry, mode 0600; one older copy is kept. */
  constructor(path: string, logger: Logger, wallMs: () => number = Date.now) {
    this.#path = path;
    this.#logger = logger;
    this.#wallMs = wallMs;
  }

  note({ caller, operation, container, result }: AuditEntry): void {
    const { name: who, role, from, serial, via } = caller;
    const nowMs = this.#wallMs();
    const isRefusal = AT_THE_DOOR.some((code) => code === result);
    const key = serial ?? who;
    if (isRefusal && this.#refusals.take(key, nowMs) > 0) {
      if (this.#leftOut.size >= MAX_CALLERS) this.#leftOut.clear();
      this.#leftOut.set(key, (this.#leftOut.get(key) ?? 0) + 1);
      return;
    }
    const leftOut = isRefusal ? this.#leftOut.get(key) : undefined;
    if (isRefusal) this.#leftOut.delete(key);
    const time = new Date(nowMs).toISOString();
    const entry = { time, who, role, from, serial, via, operation, container, result, leftOut };
    const line = JSON.stringify(entry);
    try {
      this.#append(`${line}\n`, nowMs);
    } catch (error) {
      this.#logger.error("the audit log cannot be written", { error: `${error}`, lost: line });
    }
  }

  #append(text: string, nowMs: number): void {
    if (this.#file && Math.abs(nowMs - this.#file.sinceMs) >= OPEN_MS) this.#close();
    if (this.#file === undefined) {
      rotateLog(this.#path);
      this.#file = { descriptor: openSync(this.#path, "a", 0o600), sinceMs: nowMs };
    }
    const bytes = Buffer.from(this.#isBroken ? `\n${text}` : text);
    this.#isBroken = true;
    // A disk that is nearly full takes a part, and refuses the rest.
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file.descriptor, bytes, at);
    this.#isBroken = false;
  }

  #close(): void {
    if (this.#file) closeSync(this.#file.descriptor);
    this.#file = undefined;
  }
}
