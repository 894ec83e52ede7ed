/**
 * Runs node:test over some files and holds it to two rules of ours: at least one test ran, and every skipped test stands,
 * with its reason, in test/allowed-skips.txt.
 *
 * Usage: node scripts/node-tests.ts PATTERN…   (patterns are globs from the repository's root)
 */
import { globSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { finished } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { availableMiB, IdleShare, sideBySide } from "./side-by-side.ts";
import { ROOT } from "./steps.ts";

/** A file that takes longer has failed. */
const FILE_MS = 15 * 60_000;
/** A third file is begun beside two, and a fourth, when so much of the processors' time was idle, and so much memory is there: five hosts take 2 GiB. */
const ROOM = 0.35;
const ROOM_MIB = 6_000;
const SAMPLE_MS = 1_000;
const IDLE_SAMPLES = 8;
const BEGIN_PAUSE_MS = 8_000;

/** Those of node:test that are looked at. */
type TestEvent =
  | {
      readonly type: "test:pass" | "test:fail";
      readonly data: {
        readonly name: string;
        readonly nesting: number;
        readonly skip?: string | boolean;
        readonly details: { readonly type?: string };
      };
    }
  | { readonly type: "test:diagnostic"; readonly data: { readonly message: string } }
  | {
      readonly type: "test:summary";
      readonly data: { readonly file?: string; readonly duration_ms: number };
    };

const patterns = process.argv.slice(2);
const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).sort();
if (files.length === 0) {
  process.stderr.write(`no test file matches ${patterns.join(" ")}\n`);
  process.exit(1);
}

const allowed = readFileSync(join(ROOT, "test/allowed-skips.txt"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"));

let passed = 0;
const failed: string[] = [];
const skipped: string[] = [];
const minutes: { readonly file: string; readonly spent: number }[] = [];

const idle = new IdleShare(IDLE_SAMPLES);
const sampling = setInterval(() => idle.sample(), SAMPLE_MS);
const report = spec();
report.pipe(process.stdout);

/** Runs one file in a process of its own. What it reports is shown when it has ended, so that files do not mix. */
async function runFile(file: string): Promise<void> {
  // Whoever ends the run from outside sees what it was at.
  process.stderr.write(`begins: ${file}\n`);
  const events: TestEvent[] = [];
  const stream = run({ files: [join(ROOT, file)], concurrency: 1, timeout: FILE_MS });
  for await (const event of stream as AsyncIterable<TestEvent>) {
    events.push(event);
    const { type, data } = event;
    if (type === "test:pass" && data.details.type !== "suite") {
      if (data.skip !== undefined && data.skip !== false) {
        skipped.push(`${data.name}${typeof data.skip === "string" ? `: ${data.skip}` : ""}`);
      } else if (data.nesting > 0 || !data.name.endsWith(".ts")) passed += 1;
    } else if (type === "test:fail" && data.details.type !== "suite") {
      failed.push(`${file}: ${data.name}`);
    } else if (type === "test:summary" && data.file !== undefined) {
      minutes.push({ file: relative(ROOT, data.file), spent: data.duration_ms / 60_000 });
    }
  }
  for (const event of events) if (!isTotal(event)) report.write(event);
}

await sideBySide(
  files.map((file) => () => runFile(file)),
  {
    // Playgrounds of different names share nothing.
    ...{ least: 2, most: 4, pauseMs: BEGIN_PAUSE_MS },
    hasRoom: () => idle.share >= ROOM && availableMiB() >= ROOM_MIB,
  },
);
clearInterval(sampling);
report.end();
await finished(report);
const unlisted = skipped.filter((line) => !allowed.some((name) => line.startsWith(name)));
for (const line of failed) process.stdout.write(`failed: ${line}\n`);
for (const line of skipped) process.stdout.write(`skipped: ${line}\n`);
for (const line of unlisted) {
  process.stdout.write(`skipped without standing in test/allowed-skips.txt: ${line}\n`);
}
const slowest = minutes.toSorted((a, b) => b.spent - a.spent).slice(0, 3);
const named = slowest.map(({ file, spent }) => `${file} ${spent.toFixed(1)}`).join(", ");
process.stdout.write(`\nminutes of the slowest files: ${named}\n`);
process.stdout.write(`${passed} passed, ${failed.length} failed, ${skipped.length} skipped\n`);
process.exitCode = failed.length > 0 || passed === 0 || unlisted.length > 0 ? 1 : 0;

/** Each run ends with its totals; ours are of all files. */
function isTotal({ type, data }: TestEvent): boolean {
  const totals = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;
  return type === "test:diagnostic" && totals.test(data.message);
}
