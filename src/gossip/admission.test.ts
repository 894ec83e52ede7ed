import assert from "node:assert/strict";
import { test } from "node:test";
import { Admission } from "./admission.ts";

const nothing = () => undefined;

/** How many of the streams of `hosts` begin at `nowMs`, each from an address of its own. */
function begun(admission: Admission, hosts: number, nowMs: number): { count: number } {
  const result = { count: 0 };
  for (let host = 0; host < hosts; host++) {
    admission.admit(`10.0.2.${host}`, nowMs, () => {
      result.count += 1;
    });
  }
  admission.letIn(nowMs);
  return result;
}

test("twenty strangers pass at once, the next ones wait 50 ms each", () => {
  const admission = new Admission();
  const streams = begun(admission, 23, 1000);
  assert.equal(streams.count, 20);
  assert.equal(admission.letIn(1049), 1050);
  assert.equal(streams.count, 20);
  assert.equal(admission.letIn(1100), 1150);
  assert.equal(streams.count, 22);
  assert.equal(admission.letIn(1150), undefined);
  assert.equal(streams.count, 23);
});

test("who shows the key gives its token back, so that a whole cluster may join at once", () => {
  const admission = new Admission();
  const streams = begun(admission, 100, 1000);
  for (let host = 0; host < 100; host++) {
    admission.know(`10.0.2.${host}`, 1001);
    admission.letIn(1001);
  }
  assert.equal(streams.count, 100);
});

test("tokens given back are never more than the bucket holds", () => {
  const admission = new Admission();
  for (let host = 0; host < 100; host++) admission.know(`10.0.3.${host}`, 1000);
  assert.equal(begun(admission, 100, 1000).count, 20);
});

test("streams of an address that becomes known need no token any more, a closed one is not begun", () => {
  const admission = new Admission();
  begun(admission, 20, 0);
  let count = 0;
  const begin = () => () => {
    count += 1;
  };
  const places = [1, 2, 3].map(() => admission.admit("10.0.0.1", 0, begin()));
  admission.letIn(1);
  assert.equal(count, 0);
  places[0]?.release();
  admission.know("10.0.0.1", 1);
  assert.equal(admission.letIn(1), undefined);
  assert.equal(count, 2);
});

test("one address holds at most 48 places until it shows a key, and gets them back by closing", () => {
  const admission = new Admission();
  const places = Array.from({ length: 49 }, () => admission.admit("10.0.0.1", 0, nothing));
  assert.equal(places[47] === undefined, false);
  assert.equal(places[48], undefined);
  places[0]?.release();
  assert.ok(admission.admit("10.0.0.1", 0, nothing));
});

test("strangers leave places for those who are known, up to 256 in all", () => {
  const admission = new Admission();
  let strangers = 0;
  for (let host = 0; host < 300; host++)
    if (admission.admit(`10.0.1.${host}`, 0, nothing)) strangers += 1;
  assert.equal(strangers, 192);
  admission.know("10.0.0.9", 0);
  let known = 0;
  for (let index = 0; index < 100; index++) {
    admission.admit("10.0.0.9", 1, () => {
      known += 1;
    });
  }
  assert.equal(known, 64);
});

test("a known address is a stranger again after ten minutes", () => {
  const admission = new Admission();
  admission.know("10.0.0.1", 0);
  for (let index = 0; index < 100; index++)
    assert.ok(admission.admit("10.0.0.1", 599_999, nothing));
  const later = new Admission();
  later.know("10.0.0.1", 0);
  for (let index = 0; index < 48; index++) assert.ok(later.admit("10.0.0.1", 600_000, nothing));
  assert.equal(later.admit("10.0.0.1", 600_000, nothing), undefined);
});
