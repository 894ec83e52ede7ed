import assert from "node:assert/strict";
import { test } from "node:test";
import { Arrival } from "./arrival.ts";

function stage() {
  const told: string[] = [];
  const arrival = new Arrival({
    settled: () => told.push("settled"),
    certain: () => told.push("certain"),
  });
  return { arrival, told };
}

test("who meets others is settled at once, and certain only a while after", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { arrival, told } = stage();
  arrival.begin();
  arrival.met();
  arrival.met();
  assert.deepEqual([told, arrival.isSettled, arrival.isCertain], [["settled"], true, false]);
  t.mock.timers.tick(5_000);
  t.mock.timers.tick(60_000);
  assert.deepEqual([told, arrival.isCertain], [["settled", "certain"], true]);
});

test("who meets nobody is settled after ten seconds and never certain", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { arrival, told } = stage();
  arrival.begin();
  t.mock.timers.tick(9_999);
  assert.deepEqual(told, []);
  t.mock.timers.tick(60_000);
  arrival.settle();
  assert.deepEqual([told, arrival.isCertain], [["settled"], false]);
});

test("nothing is told after the close", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { arrival, told } = stage();
  arrival.begin();
  arrival.met();
  arrival.close();
  t.mock.timers.tick(60_000);
  assert.deepEqual(told, ["settled"]);
});
