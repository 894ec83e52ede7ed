import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Caller } from "../../api/caller.ts";
import type { AuditEntry } from "../../api/create-api.ts";
import { createLogger } from "../../host/logger.ts";
import { AuditLog } from "./audit-log.ts";

test("who is refused without end washes nothing away, and what is left out is counted", () => {
  const folder = mkdtempSync(join(tmpdir(), "hansa-audit-"));
  try {
    const path = join(folder, "audit.log");
    let nowMs = Date.UTC(2026, 10, 21);
    const log = new AuditLog(path, createLogger({ write: () => undefined }), () => nowMs);
    const lines = (): { who: string; result: string; leftOut?: number }[] =>
      readFileSync(path, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
    const note = (name: string, result: AuditEntry["result"]): void => {
      const caller: Caller = { name, role: "viewer", from: "192.0.2.1", serial: `0${name}` };
      log.note({ caller, operation: "connect", result });
    };
    note("1", "ok");
    for (let index = 0; index < 1_000; index += 1) note("1", "API_RATE_LIMITED");
    note("2", "API_ROLE_MISSING");
    // Failures of what was tried, and what was done, are all written.
    for (let index = 0; index < 100; index += 1) note("1", index % 2 === 0 ? "ok" : "USAGE");
    assert.equal(lines().length, 1 + 50 + 1 + 100);
    nowMs += 60_000;
    note("1", "API_ROLE_MISSING");
    assert.deepEqual(lines().at(-1)?.leftOut, 950);
    note("1", "API_ROLE_MISSING");
    assert.equal(lines().at(-1)?.leftOut, undefined);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a log that somebody moved away is made anew a second later", () => {
  const folder = mkdtempSync(join(tmpdir(), "hansa-audit-"));
  try {
    const path = join(folder, "audit.log");
    let nowMs = Date.UTC(2026, 10, 21);
    const log = new AuditLog(path, createLogger({ write: () => undefined }), () => nowMs);
    const caller: Caller = { name: "1", role: "admin", from: "192.0.2.1", serial: "01" };
    const operations = (file: string): string[] =>
      readFileSync(file, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).operation);
    log.note({ caller, operation: "connect", result: "ok" });
    renameSync(path, `${path}.old`);
    log.note({ caller, operation: "forget", result: "ok" });
    nowMs += 1_000;
    log.note({ caller, operation: "leave", result: "ok" });
    assert.deepEqual(operations(`${path}.old`), ["connect", "forget"]);
    assert.deepEqual(operations(path), ["leave"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("what follows an entry that a full disk took in part stands on a line of its own", () => {
  const folder = mkdtempSync(join(tmpdir(), "hansa-audit-"));
  try {
    const path = join(folder, "audit.log");
    symlinkSync("/dev/full", path);
    let nowMs = Date.UTC(2026, 10, 21);
    const said: string[] = [];
    const logger = createLogger({ write: (line) => void said.push(line) });
    const log = new AuditLog(path, logger, () => nowMs);
    const caller: Caller = { name: "1", role: "admin", from: "192.0.2.1", serial: "01" };
    log.note({ caller, operation: "connect", result: "ok" });
    assert.match(said.join(""), /ENOSPC.*connect.*the audit log cannot be written/);
    rmSync(path);
    nowMs += 1_000;
    log.note({ caller, operation: "forget", result: "ok" });
    log.note({ caller, operation: "leave", result: "ok" });
    assert.match(readFileSync(path, "utf8"), /^\n\{[^\n]*forget[^\n]*\}\n\{[^\n]*leave[^\n]*\}\n$/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
