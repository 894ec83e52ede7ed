import assert from "node:assert/strict";
import { test } from "node:test";
import { Admission } from "./admission.ts";

test("twenty strangers pass at once, the next ones wait 50 ms each", () => {
  const admission = new Admission();
  const waits = Array.from({ length: 23 }, () => admission.admit("10.0.0.1", 1000)?.waitMs);
  assert.deepEqual(waits.slice(0, 20), Array(20).fill(0));
  assert.deepEqual(waits.slice(20), [50, 100, 150]);
  assert.equal(admission.admit("10.0.0.2", 3000)?.waitMs, 0);
});

test("one address holds at most 48 places until it shows a key, and gets them back by closing", () => {
  const admission = new Admission();
  const places = Array.from({ length: 49 }, () => admission.admit("10.0.0.1", 0));
  assert.equal(places[47] === undefined, false);
  assert.equal(places[48], undefined);
  places[0]?.release();
  assert.ok(admission.admit("10.0.0.1", 0));
});

test("strangers leave places for those who are known, up to 256 in all", () => {
  const admission = new Admission();
  let strangers = 0;
  for (let host = 0; host < 300; host++) if (admission.admit(`10.0.1.${host}`, 0)) strangers += 1;
  assert.equal(strangers, 192);
  admission.know("10.0.0.9", 0);
  let known = 0;
  for (let index = 0; index < 100; index++) {
    const place = admission.admit("10.0.0.9", 1);
    if (place === undefined) continue;
    assert.equal(place.waitMs, 0);
    known += 1;
  }
  assert.equal(known, 64);
});

test("a known address is a stranger again after ten minutes", () => {
  const admission = new Admission();
  admission.know("10.0.0.1", 0);
  for (let index = 0; index < 100; index++) assert.ok(admission.admit("10.0.0.1", 599_999));
  const later = new Admission();
  later.know("10.0.0.1", 0);
  for (let index = 0; index < 48; index++) assert.ok(later.admit("10.0.0.1", 600_000));
  assert.equal(later.admit("10.0.0.1", 600_000), undefined);
});
