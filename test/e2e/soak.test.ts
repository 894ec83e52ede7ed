/** Two minutes of the soak with a new seed each time: `npm run soak -- --seed N` makes the same plan again, for longer. */
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runSoak } from "../soak/soak.ts";
import { summary } from "../soak/summary.ts";
import { HANSA } from "./cluster.ts";

test("a random day of two minutes leaves nothing broken", async () => {
  const seed = Number(process.env["SOAK_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const { figures, folder } = await runSoak({
    name: "e2esoak",
    binary: HANSA,
    hosts: 5,
    seed,
    minutes: 2,
    folder: join(tmpdir(), "soak"),
    echo: (line) => process.stdout.write(`${line}\n`),
  });
  process.stdout.write(summary(figures));
  const again = `seed ${seed}, log and evidence in ${folder}`;
  assert.deepEqual(figures.faults, [], again);
  assert.ok(figures.calms > 0 && figures.sampled.samples > 0, again);
});
