/**
 * Our membership against memberlist's: `npm run bench -- membership`.
 *
 * `--rounds N` storms of joins a size (3), `--lives N` clusters that idle and lose a member (1), `--sizes 16,64,256`, `--idle SECONDS` (30),
 * `--one-process` leaves out the 16 processes, `-o json` prints the rows.
 */
import { parseArgs } from "node:util";
import { table } from "../samples.ts";
import { membershipRows } from "./membership-rows.ts";
import type { Shape } from "./trial.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    lives: { type: "string", default: "1" },
    sizes: { type: "string", default: "16,64,256" },
    idle: { type: "string", default: "30" },
    "one-process": { type: "boolean", default: false },
    output: { type: "string", short: "o", default: "table" },
  },
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
const shapes: Shape[] = values.sizes
  .split(",")
  .map((nodes) => ({ nodes: Number(nodes), processes: 1 }));
if (!values["one-process"]) shapes.push({ nodes: 16, processes: 16 });
const rows = await membershipRows(
  {
    shapes,
    rounds: Number(values.rounds),
    lives: Number(values.lives),
    idleSeconds: Number(values.idle),
  },
  (line) => process.stderr.write(`${line}\n`),
);
process.stdout.write(
  values.output === "json" ? `${JSON.stringify({ rows }, null, 2)}\n` : `${table(rows)}\n`,
);
