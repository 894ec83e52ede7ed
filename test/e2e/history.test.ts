/** What clients of the store see while hosts and networks fail: all of it is as promised. `npm run history` plays every fault; here are those that tell most. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FAULTS } from "../history/faults.ts";
import { playHistory } from "../history/play-history.ts";
import { storeOfFour } from "../history/store-of-four.ts";
import { hosts } from "./cluster.ts";

/** What the clients do is the same each time, so that a failure is a change's: `npm run history` draws anew. */
const SEED = 20_261;
const CHOSEN = ["the leader's host loses its power", "split 3/1", "split 2/2", "every etcd"];

test("clients that write through all nodes under splits, power cuts and kills see one store", async (context) => {
  await using playground = await hosts("e2ehist", 5, 2);
  const world = await storeOfFour(playground, { hasLinks: true });
  const faults = FAULTS.filter(({ name }) => CHOSEN.some((words) => name.includes(words)));
  assert.equal(faults.length, CHOSEN.length);
  const seed = Number(process.env["HISTORY_SEED"] ?? SEED);
  context.diagnostic(`seed ${seed} (HISTORY_SEED)`);
  const { rows, history, broken } = await playHistory({ world, faults, seed });
  for (const row of rows) context.diagnostic(JSON.stringify(row));
  assert.deepEqual(broken, []);
  assert.ok(history.length > 100, `${history.length} operations`);
  const minority = rows.find(({ name }) => name === "split 2/2");
  assert.equal(minority?.acknowledged, 0, "two of four votes wrote");
});
