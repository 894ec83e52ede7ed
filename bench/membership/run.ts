/** Our membership against memberlist's at length: `npm run bench -- membership`. */
import { positive, scriptOptions } from "../../scripts/options.ts";
import { table } from "../samples.ts";
import { membershipRows } from "./membership-rows.ts";
import type { Shape } from "./trial.ts";

const USAGE = `
Our membership against memberlist's: npm run bench -- membership [OPTIONS]

  --rounds N       storms of joins of each size, default 3
  --lives N        clusters of each size that idle and lose a member, default 1
  --sizes N,N      members, default 16,64,256
  --idle N         seconds that a cluster idles, default 30
  --one-process    without the 16 processes
  --output json    prints the rows`;

const values = scriptOptions(USAGE, {
  rounds: { type: "string", default: "3" },
  lives: { type: "string", default: "1" },
  sizes: { type: "string", default: "16,64,256" },
  idle: { type: "string", default: "30" },
  "one-process": { type: "boolean", default: false },
  output: { type: "string", short: "o", default: "table" },
});
const rounds = positive("rounds", values.rounds);
const lives = positive("lives", values.lives);
const idleSeconds = positive("idle", values.idle);
const shapes: Shape[] = values.sizes
  .split(",")
  .map((nodes) => ({ nodes: positive("sizes", nodes), processes: 1 }));
if (!values["one-process"]) shapes.push({ nodes: 16, processes: 16 });

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
const rows = await membershipRows({ shapes, rounds, lives, idleSeconds }, (line) =>
  process.stderr.write(`${line}\n`),
);
process.stdout.write(
  values.output === "json" ? `${JSON.stringify({ rows }, null, 2)}\n` : `${table(rows)}\n`,
);
