/** Reboots again and again: `npm run reboots -- --times 20`. One host, then all at once, each so often; a table of the times and a verdict. */
import { loadavg } from "node:os";
import { Playground } from "../src/playground/playground.ts";
import { HANSA } from "../test/e2e/cluster.ts";
import { fillHosts, type RebootTimes, rebootHosts } from "../test/e2e/reboot-trial.ts";
import { positive, scriptOptions } from "./options.ts";
import { runStep } from "./steps.ts";

const USAGE = `
Cut the power of one host, then of all, again and again: npm run reboots -- [OPTIONS]

  --times N        rounds, default 20
  --hosts N        default 3
  --containers N   on each host, default 20
  --seconds N      within which all must be well, default 90

Ctrl-C ends the trial under way and prints what there is. Wants an idle machine: it says how busy this one was.`;

const values = scriptOptions(USAGE, {
  times: { type: "string", default: "20" },
  hosts: { type: "string", default: "3" },
  containers: { type: "string", default: "20" },
  seconds: { type: "string", default: "90" },
});
const times = positive("times", values.times);
const hostCount = positive("hosts", values.hosts);
const containers = positive("containers", values.containers);
const seconds = positive("seconds", values.seconds);

const PHASES = ["docker", "running", "reached", "settled"] as const;
const taken: Record<"one host" | "all hosts", RebootTimes[]> = { "one host": [], "all hosts": [] };
const failures: string[] = [];
const loads: number[] = [];
let isStopped = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => (isStopped = true));

const built = await runStep({ title: "build", argv: ["node", "scripts/build.ts"] });
if (built !== 0) process.exit(built);

{
  await using playground = await Playground.up({
    name: "reboots",
    hosts: hostCount,
    binary: HANSA,
  });
  await fillHosts(playground, containers);
  for (let round = 0; round < times && !isStopped; round++) {
    const one = [playground.host((round % hostCount) + 1)];
    await trial(playground, "one host", one, round);
    if (!isStopped) await trial(playground, "all hosts", playground.hosts(), round);
  }
}

print();
process.exitCode = failures.length === 0 ? 0 : 1;

async function trial(
  playground: Playground,
  kind: keyof typeof taken,
  rebooted: Parameters<typeof rebootHosts>[1],
  round: number,
): Promise<void> {
  try {
    const result = await rebootHosts(playground, rebooted, containers, seconds * 1000);
    taken[kind].push(result);
    loads.push(loadavg()[0] ?? 0);
    if (result.settled > seconds) failures.push(`${kind}, round ${round + 1}: ${result.settled} s`);
    process.stderr.write(`${round + 1}/${times} ${kind}: ${JSON.stringify(result)}\n`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    failures.push(`${kind}, round ${round + 1}: ${why}`);
    process.stderr.write(`${round + 1}/${times} ${kind}: FAILED ${why}\n`);
  }
}

function print(): void {
  const row = (cells: readonly (string | number)[]): string =>
    cells.map((cell, index) => `${cell}`[index === 0 ? "padEnd" : "padStart"](22)).join("");
  const lines = [row(["seconds from power on", "min", "median", "max"])];
  for (const [kind, results] of Object.entries(taken)) {
    for (const phase of PHASES) {
      const sorted = results.map((result) => result[phase]).sort((a, b) => a - b);
      const middle = sorted[Math.floor(sorted.length / 2)];
      lines.push(row([`${kind}: ${phase}`, sorted[0] ?? "-", middle ?? "-", sorted.at(-1) ?? "-"]));
    }
  }
  const load = loads.reduce((sum, each) => sum + each, 0) / Math.max(1, loads.length);
  const counts = Object.entries(taken).map(([kind, results]) => `${kind} ${results.length} times`);
  const what = `${hostCount} hosts × ${containers} containers: ${counts.join(", ")}, mean load ${load.toFixed(1)}`;
  const verdict = failures.length === 0 ? `all well within ${seconds} s` : "FAILED";
  process.stdout.write(`${lines.join("\n")}\n${what}: ${verdict}\n`);
  for (const failure of failures) process.stdout.write(`- ${failure}\n`);
}
