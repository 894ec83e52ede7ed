/** Two minutes of the soak, the same plan each time, so that a failure is a change's: new ones are drawn by `npm run soak`. */
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runSoak } from "../soak/soak.ts";
import { summary } from "../soak/summary.ts";
import { HANSA } from "./cluster.ts";

const SEED = 20_261;

test("a random day of two minutes leaves nothing broken", async () => {
  const seed = Number(process.env["SOAK_SEED"] ?? SEED);
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
