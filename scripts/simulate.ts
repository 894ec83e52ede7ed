/** The membership core on a simulated network: `npm run simulate -- --help`. Exit status 1 when a property was broken. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commandLine, type Outcome, type Play, play } from "../test/sim/play.ts";
import {
  convergencePart,
  type LargeRun,
  largePart,
  pausePart,
  type ReportPart,
  scalePart,
  stallsPart,
  variantsPart,
} from "../test/sim/report.ts";
import { SCENARIOS } from "../test/sim/scenarios.ts";
import { positive, scriptOptions } from "./options.ts";
import { ROOT } from "./steps.ts";

const USAGE = `
The membership core on a simulated network: npm run simulate -- [OPTIONS]

With --scenario plays one under all invariants and tells how it went:
  --scenario NAME  ${Object.keys(SCENARIOS).join(", ")}, or all
  --members N      default 256, at most 10000
  --seed S         default 1
  --loss P         share of packets lost, instead of the scenario's own

Otherwise measures, and writes membership-simulation.md and its picture:
  --part NAME      variants, scale, pause, stalls, convergence or large; all of them when left out
  --out FOLDER     default docs/internals`;

/** What of the large runs is asked for: two minutes of wall time and 4 GiB each. */
const LARGE: readonly Play[] = [
  ...["kills", "loss", "churn", "split"].map((scenario) => ({
    scenario,
    members: 10_000,
    seed: 1,
  })),
  { scenario: "storm", members: 1_000, seed: 1 },
];

/** Where a run that was started for its figures puts them: memory is measured by process. */
const FIGURES_FD = 3;

const PARTS: Readonly<Record<string, () => ReportPart>> = {
  variants: () => variantsPart(progress),
  scale: () => scalePart(progress),
  pause: () => pausePart(progress),
  stalls: () => stallsPart(progress),
  convergence: () => convergencePart(progress),
  large: () => largePart(LARGE.map(largeRun)),
};

const values = scriptOptions(USAGE, {
  scenario: { type: "string" },
  members: { type: "string", default: "256" },
  seed: { type: "string", default: "1" },
  loss: { type: "string" },
  part: { type: "string" },
  out: { type: "string", default: join(ROOT, "docs/internals") },
  figures: { type: "boolean", default: false },
});
if (values.scenario !== undefined) playScenarios(values.scenario);
else report(values.out, values.part === undefined ? Object.keys(PARTS) : [values.part]);

function playScenarios(name: string): void {
  const names = name === "all" ? Object.keys(SCENARIOS) : [name];
  for (const scenario of names) {
    const members = positive("members", values.members);
    const loss = values.loss === undefined ? undefined : Number(values.loss);
    const request: Play = { scenario, members, seed: Number(values.seed), loss };
    const started = performance.now();
    try {
      const outcome = play(request);
      tell(request, outcome, (performance.now() - started) / 1_000);
    } catch (error) {
      process.stderr.write(`${(error as Error).message}\n`);
      process.exitCode = 1;
    }
  }
}

function tell(request: Play, outcome: Outcome, wallSeconds: number): void {
  if (values.figures) {
    const cpuSeconds = process.cpuUsage().user / 1e6;
    const memoryMiB = process.resourceUsage().maxRSS / 1_024;
    writeFileSync(FIGURES_FD, JSON.stringify({ ...outcome, wallSeconds, cpuSeconds, memoryMiB }));
    return;
  }
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`;
  const rows = [
    ["scenario", SCENARIOS[request.scenario]?.title ?? request.scenario],
    ["all agree after", seconds(outcome.settledMs)],
    ["simulated", seconds(outcome.virtualMs)],
    ["false deaths", `${outcome.falseDeaths} (impaired members: ${outcome.falseDeathsOfImpaired})`],
    ["packets each", `${outcome.packetsPerMemberSecond.toFixed(2)} per second`],
    ["bytes each", `${outcome.bytesPerMemberSecond.toFixed(0)} per second`],
    ["inputs handled", `${outcome.inputs}`],
    ["wall time", `${wallSeconds.toFixed(1)} s`],
    ["again", commandLine(request)],
  ];
  for (const [key = "", value = ""] of rows) process.stdout.write(`${key.padEnd(18)}${value}\n`);
  process.stdout.write("\n");
}

function report(folder: string, parts: readonly string[]): void {
  const file = join(folder, "membership-simulation.md");
  if (!existsSync(file)) throw new Error(`${file} is missing: its text is written by hand`);
  for (const name of parts) {
    const part = PARTS[name];
    if (part === undefined) throw new RangeError(`no part "${name}" (--help tells them)`);
    const { markdown, picture } = part();
    process.stdout.write(`${markdown}\n\n`);
    writeFileSync(file, withPart(readFileSync(file, "utf8"), name, markdown));
    if (picture) writeFileSync(join(folder, "membership-simulation.svg"), picture);
  }
}

/** `document` with what stands between the part's two marks replaced. */
function withPart(document: string, name: string, markdown: string): string {
  const [start, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const [from, to] = [document.indexOf(start), document.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the report has no marks for "${name}"`);
  return `${document.slice(0, from + start.length)}\n${markdown}\n${document.slice(to)}`;
}

function largeRun(request: Play): LargeRun {
  const { scenario, members, seed } = request;
  const command = commandLine(request).replace("npm run simulate -- ", "");
  progress(command);
  const options = [
    "--scenario",
    scenario,
    "--members",
    `${members}`,
    "--seed",
    `${seed}`,
    "--figures",
  ];
  // Packets and timers under way outlive a small nursery, and would be copied twice.
  const argv = ["--max-semi-space-size=64", import.meta.filename, ...options];
  const { status, output } = spawnSync(process.execPath, argv, {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
    encoding: "utf8",
  });
  if (status !== 0) {
    process.exitCode = 1;
    throw new Error(`${command} broke a property`);
  }
  return { command, ...JSON.parse(output[FIGURES_FD] ?? "") };
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}
