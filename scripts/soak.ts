/** A random day of a cluster, for as long as you like: `npm run soak -- --minutes 60`. Exit status 1 after a fault. */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readJournal } from "../test/soak/journal.ts";
import { runSoak } from "../test/soak/soak.ts";
import { summary } from "../test/soak/summary.ts";
import { positive, scriptOptions } from "./options.ts";
import { ROOT, runSteps } from "./steps.ts";

const USAGE = `
A random day of a cluster: npm run soak -- [OPTIONS]

  --minutes N    how long, default 10
  --seed N       make the plan of that seed again
  --replay LOG   play a recorded plan
  --out FOLDER   where the log and the evidence go, default soak/ in the folder for temporary files
  --name NAME    of the playground, default soak
  --keep-going   do not stop at the first fault
  --no-build     take dist/hansa as it is`;

const values = scriptOptions(USAGE, {
  minutes: { type: "string", default: "10" },
  seed: { type: "string" },
  replay: { type: "string" },
  out: { type: "string", default: join(tmpdir(), "soak") },
  name: { type: "string", default: "soak" },
  "keep-going": { type: "boolean", default: false },
  "no-build": { type: "boolean", default: false },
});
const minutes = positive("minutes", values.minutes);
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
