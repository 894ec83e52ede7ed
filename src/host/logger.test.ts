import assert from "node:assert/strict";
import { test } from "node:test";
import { HansaError } from "../errors.ts";
import { createLogger, type LoggerOptions } from "./logger.ts";

function lines(options: LoggerOptions = {}) {
  const written: string[] = [];
  const write = (line: string): void => void written.push(line);
  const logger = createLogger({ write, wallMs: () => 0, journal: false, ...options });
  return { logger, written };
}

test("a record is one line of JSON with time, level and message", () => {
  const { logger, written } = lines({ fields: { node: 5 } });
  logger.info("peer\nfound", { id: 3n });
  assert.deepEqual(
    written.map((line) => line.endsWith("\n") && JSON.parse(line)),
    [{ node: 5, id: "3", time: "1970-01-01T00:00:00.000Z", level: "info", msg: "peer\nfound" }],
  );
  assert.equal(written[0]?.split("\n").length, 2);
});

test("records below the level are dropped", () => {
  const { logger, written } = lines({ level: "warn" });
  logger.debug("a");
  logger.info("b");
  logger.warn("c");
  logger.error("d");
  assert.deepEqual(
    written.map((line) => JSON.parse(line).msg),
    ["c", "d"],
  );
});

test("fields whose name says secret are replaced, at any depth", () => {
  const { logger, written } = lines();
  logger.child({ token: "s1" }).error("x", {
    peer: { privateKey: "s2", presharedPsk: ["s3"] },
    password: "s4",
    roots: ["s5"],
    tokenKnown: true,
  });
  assert.ok(!/s[1-5]/.test(written[0] ?? ""), written.join());
  assert.equal(JSON.parse(written[0] ?? "").tokenKnown, true);
});

test("errors keep code, message and cause, and no stack", () => {
  const { logger, written } = lines();
  const cause = new Error("disk full");
  logger.error("failed", { error: new HansaError("INTERNAL", "it broke", { cause }) });
  const { error } = JSON.parse(written[0] ?? "");
  assert.deepEqual(
    [error.code, error.message, error.cause.message],
    ["INTERNAL", "it broke", "disk full"],
  );
  assert.ok(!written[0]?.includes("logger.test.ts"));
});

test("a field that cannot be printed does not throw, and a field forges nothing", () => {
  const { logger, written } = lines();
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  logger.info("odd", { cycle });
  logger.info("true", { level: "error", msg: "forged", time: "never" });
  assert.match(written[0] ?? "", /"msg":"odd".*unprintable/);
  const { level, msg, time } = JSON.parse(written[1] ?? "");
  assert.deepEqual([level, msg, time], ["info", "true", "1970-01-01T00:00:00.000Z"]);
});

test("under journald the priority comes first", () => {
  const { logger, written } = lines({ journal: true });
  logger.error("x");
  logger.info("y");
  assert.deepEqual(
    written.map((line) => line.slice(0, 4)),
    ["<3>{", "<6>{"],
  );
});
