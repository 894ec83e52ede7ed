/**
 * A random day of a cluster, for as long as you like: `npm run soak -- --minutes 60`.
 *
 * `--seed N` makes the same plan again, `--replay LOG` plays a recorded one, `--out FOLDER` says where the log goes (default: soak/ in the
 * folder for temporary files), `--keep-going` does not stop at the first fault, `--name NAME` names the playground. Exit status 1 after a fault.
 */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readJournal } from "../test/soak/journal.ts";
import { runSoak } from "../test/soak/soak.ts";
import { summary } from "../test/soak/summary.ts";
import { ROOT, runSteps } from "./steps.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string" },
    replay: { type: "string" },
    out: { type: "string", default: join(tmpdir(), "soak") },
    name: { type: "string", default: "soak" },
    "keep-going": { type: "boolean", default: false },
    "no-build": { type: "boolean", default: false },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error(`--minutes ${values.minutes} is no number of minutes`);
const binary = process.env["HANSA_BINARY"] ?? join(ROOT, "dist/hansa");
if (!values["no-build"]) {
  await runSteps([
    { title: "system packages", argv: ["sh", "scripts/setup-host.sh"] },
    { title: "build dist/hansa", argv: ["node", "scripts/build.ts"] },
  ]);
}
if (!existsSync(binary)) throw new Error(`${binary} is missing: npm run build`);
const recorded = values.replay === undefined ? undefined : readJournal(values.replay);
const seed = recorded?.header.seed ?? Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
process.stdout.write(`seed ${seed}\n`);
const ending = new AbortController();
// Once: the hosts must be brought down. A second one ends at once, and the next playground of the name sweeps.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    process.stdout.write("ends after this event, one last calm and the summary\n");
    ending.abort();
  });
}
const { figures, folder } = await runSoak({
  name: values.name,
  binary,
  hosts: recorded?.header.hosts ?? 5,
  seed,
  minutes,
  ...(recorded ? { plan: recorded.plan } : {}),
  folder: values.out,
  echo: (line) => process.stdout.write(`${line}\n`),
  keepGoing: values["keep-going"],
  signal: ending.signal,
});
process.stdout.write(`\n${summary(figures)}\nlog: ${join(folder, "soak.jsonl")}\n`);
if (figures.faults.length > 0) {
  process.stdout.write(`evidence: ${folder}\n`);
  for (const fault of figures.faults) process.stdout.write(`FAULT ${fault}\n`);
  process.stdout.write(`again: npm run soak -- --seed ${seed}, or --replay ${folder}/soak.jsonl\n`);
  process.exitCode = 1;
}
