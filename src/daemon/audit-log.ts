/**
 * Who asked for which change, from where, and what came of it: one JSON object a line in audit.log.
 *
 * Invariant: an entry is in the file when `note` returns, or its loss is in the daemon's log. Nothing of a request's body is written.
 */
import { appendFileSync } from "node:fs";
import type { AuditEntry } from "../api/create-api.ts";
import type { Logger } from "../host/logger.ts";
import { rotateLog } from "../processes/log-file.ts";

export class AuditLog {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #wallMs: () => number;

  /** The file is made with the first entry, mode 0600; one older copy is kept. */
  constructor(path: string, logger: Logger, wallMs: () => number = Date.now) {
    this.#path = path;
    this.#logger = logger;
    this.#wallMs = wallMs;
  }

  note({ caller, operation, container, result }: AuditEntry): void {
    const { name: who, role, from, serial, via } = caller;
    const time = new Date(this.#wallMs()).toISOString();
    const entry = { time, who, role, from, serial, via, operation, container, result };
    const line = JSON.stringify(entry);
    try {
      rotateLog(this.#path);
      appendFileSync(this.#path, `${line}\n`, { mode: 0o600 });
    } catch (error) {
      this.#logger.error("the audit log cannot be written", { error: `${error}`, lost: line });
    }
  }
}
