/** Clients of the store on real hosts under all faults, and whether what they saw is as promised: `npm run history -- --rounds 3`. Exit status 1 when it is not. */
import { existsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Playground } from "../src/playground/playground.ts";
import { DISK_FAULTS, EXPECTED, FAULTS, type Fault, LINK_FAULTS } from "../test/history/faults.ts";
import type { Operation } from "../test/history/operation.ts";
import { playHistory } from "../test/history/play-history.ts";
import { type FourOptions, storeOfFour } from "../test/history/store-of-four.ts";
import { positive, scriptOptions } from "./options.ts";
import { ROOT, runSteps } from "./steps.ts";

const USAGE = `
Clients of the store under faults: npm run history -- [OPTIONS]

  --rounds N     how often each fault, default 1
  --seed N       of the clients' choices
  --only WORDS   faults whose name has these words
  --expected     at the end, a minority that begins anew beside a majority: what is lost by it is shown
  --out FILE     where the whole history goes when a promise is broken, default history.json in the folder for temporary files
  --name NAME    of the playground, default history
  --no-build     take dist/hansa as it is`;

const values = scriptOptions(USAGE, {
  rounds: { type: "string", default: "1" },
  seed: { type: "string" },
  expected: { type: "boolean", default: false },
  only: { type: "string", default: "" },
  out: { type: "string", default: join(tmpdir(), "history.json") },
  name: { type: "string", default: "history" },
  "no-build": { type: "boolean", default: false },
});
const SHOWN = 10;
const rounds = positive("rounds", values.rounds);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const binary = process.env["HANSA_BINARY"] ?? join(ROOT, "dist/hansa");
if (!values["no-build"]) {
  await runSteps([
    { title: "system packages", argv: ["sh", "scripts/setup-host.sh"] },
    { title: "build dist/hansa", argv: ["node", "scripts/build.ts"] },
  ]);
}
if (!existsSync(binary)) throw new Error(`${binary} is missing: npm run build`);
process.stdout.write(`seed ${seed}\n`);
interface Stage {
  readonly faults: readonly Fault[];
  readonly options: FourOptions;
}

/** Faults that want clusters of their own come after those of any. */
const stages: readonly Stage[] = [
  { faults: FAULTS, options: {} },
  { faults: LINK_FAULTS, options: { hasLinks: true } },
  { faults: DISK_FAULTS, options: { hasSmallDisks: true } },
].map(({ faults, options }) => {
  const chosen = faults.filter(({ name }) => name.includes(values.only));
  const rounded = Array.from({ length: rounds }, () => chosen).flat();
  const isFirst = faults === FAULTS;
  return { faults: isFirst && values.expected ? [...rounded, EXPECTED] : rounded, options };
});
const line = (...cells: readonly (string | number)[]): void => {
  const [name = "", ...numbers] = cells;
  const columns = numbers.map((cell) => `${cell}`.padStart(14)).join("");
  process.stdout.write(`${`${name}`.padEnd(54)}${columns}\n`);
};
line("fault", "acknowledged", "unknown", "mirror reads", "longest gap ms");
const broken: string[] = [];
const histories: (readonly Operation[])[] = [];
for (const { faults, options } of stages.filter((stage) => stage.faults.length > 0)) {
  await using playground = await Playground.up({ name: values.name, hosts: 5, links: 2, binary });
  const world = await storeOfFour(playground, options);
  const played = await playHistory({
    ...{ world, faults, seed },
    told: ({ name, acknowledged, unknown, mirrorReads, longestGapMs }) =>
      line(name, acknowledged, unknown, mirrorReads, longestGapMs),
  });
  const { history, refusals } = played;
  process.stdout.write(`${history.length} operations; errors that clients were told: `);
  process.stdout.write(`${[...refusals].map(([code, count]) => `${code} ${count}`).join(", ")}\n`);
  broken.push(...played.broken);
  histories.push(history);
}
for (const sentence of broken.slice(0, SHOWN))
  process.stdout.write(`${values.expected ? "LOST" : "BROKEN"} ${sentence}\n`);
if (broken.length > SHOWN) process.stdout.write(`and ${broken.length - SHOWN} more\n`);
if (values.expected) {
  process.stdout.write("what is lost was lost by the recovery that was asked for\n");
  process.exitCode = broken.length > 0 ? 0 : 1;
} else if (broken.length > 0) {
  const text = (_: string, value: unknown): unknown =>
    typeof value === "bigint" ? `${value}` : value;
  writeFileSync(values.out, JSON.stringify(histories, text));
  process.stdout.write(`the histories: ${values.out}\n`);
  process.exitCode = 1;
} else {
  process.stdout.write("every promise was kept\n");
}
