/**
 * Runs node:test over some files and holds it to two rules of ours: at least one test ran, and every skipped test stands,
 * with its reason, in test/allowed-skips.txt.
 *
 * Usage: node scripts/node-tests.ts [--record] PATTERN…   (patterns are globs from the repository's root; --record writes how long
 * each file took into test/seconds.txt, by which the next run orders them: for a machine with nothing else to do)
 */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { finished } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { longestFirst, parseSeconds, withMeasured } from "./recorded-seconds.ts";
import { groupsOf, sharesProcess } from "./shared-process.ts";
import { availableMiB, IdleShare, sideBySide } from "./side-by-side.ts";
import { ROOT } from "./steps.ts";

/** A file that takes longer has failed. */
const FILE_MS = 15 * 60_000;
/** A file is begun beside two others, and more, when so much of the processors' time was idle, and so much memory is there: five hosts take 2 GiB. */
const ROOM = 0.25;
const ROOM_MIB = 6_000;
const SAMPLE_MS = 500;
/** Hosts take seconds to come up, and wait most of the time from then on; other tests show at once what they take. */
const WITH_HOSTS = { most: 6, pauseMs: 8_000 };
const WITHOUT_HOSTS = { most: 4, pauseMs: 2_000 };
/** So many unit test files share a process at most: for more, one processor would wait for the other at the end. */
const SHARING = 12;
const SECONDS_FILE = join(ROOT, "test/seconds.txt");

/** Those of node:test that are looked at. */
type TestEvent =
  | {
      readonly type: "test:pass" | "test:fail";
      readonly data: {
        readonly name: string;
        readonly nesting: number;
        /** Where the test stands. */
        readonly file?: string;
        readonly skip?: string | boolean;
        readonly details: { readonly type?: string };
      };
    }
  | { readonly type: "test:diagnostic"; readonly data: { readonly message: string } };

const words = process.argv.slice(2);
const isRecorded = words.includes("--record");
const patterns = words.filter((word) => word !== "--record");
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
const seconds = new Map<string, number>();

const hasHosts = files.some((file) => /^test\/(e2e|playground)\//.test(file));
const { most, pauseMs } = hasHosts ? WITH_HOSTS : WITHOUT_HOSTS;
// Of each file's time a third is reading our modules. Not with hosts, whose hansa is to start as it does for users.
if (!hasHosts) process.env["NODE_COMPILE_CACHE"] ??= join(ROOT, "node_modules/.cache/compiled");
const idle = new IdleShare(pauseMs / SAMPLE_MS);
const idleInAll = new IdleShare(2);
idleInAll.sample();
const sampling = setInterval(() => idle.sample(), SAMPLE_MS);
const report = spec();
report.pipe(process.stdout);

/** Runs one file, or several that may share one, in a process of its own. What it reports is shown when it has ended, so that they do not mix. */
async function runFiles(together: readonly string[]): Promise<void> {
  const title = together.length > 1 ? `${together.length} files from` : "";
  // Whoever ends the run from outside sees what it was at.
  process.stderr.write(`begins: ${title}${title && " "}${together[0]}\n`);
  const paths = together.map((file) => join(ROOT, file));
  const began = performance.now();
  const events: TestEvent[] = [];
  const what =
    paths.length > 1
      ? { files: [join(import.meta.dirname, "import-tests.ts")], argv: paths }
      : { files: paths };
  const stream = run({ ...what, concurrency: 1, timeout: FILE_MS });
  for await (const event of stream as AsyncIterable<TestEvent>) {
    events.push(event);
    const { type, data } = event;
    if (type === "test:pass" && data.details.type !== "suite") {
      if (data.skip !== undefined && data.skip !== false) {
        skipped.push(`${data.name}${typeof data.skip === "string" ? `: ${data.skip}` : ""}`);
      } else if (data.nesting > 0 || !data.name.endsWith(".ts")) passed += 1;
    } else if (type === "test:fail" && data.details.type !== "suite") {
      failed.push(`${data.file ? relative(ROOT, data.file) : together.join(" ")}: ${data.name}`);
    }
  }
  if (together.length === 1) seconds.set(together[0] ?? "", (performance.now() - began) / 1_000);
  for (const event of events) if (!isTotal(event)) report.write(event);
}

const sharing = files.filter((file) => sharesProcess(file, readFileSync(join(ROOT, file), "utf8")));
const alone = files.filter((file) => !sharing.includes(file)).map((file) => [file]);
const recorded = parseSeconds(readFileSync(SECONDS_FILE, "utf8"));
const jobs = longestFirst([...groupsOf(sharing, SHARING), ...alone], (job) => job, recorded);
await sideBySide(
  jobs.map((job) => () => runFiles(job)),
  {
    // Playgrounds of different names share nothing.
    ...{ least: 2, most, pauseMs },
    hasRoom: () => idle.share >= ROOM && availableMiB() >= ROOM_MIB,
  },
);
clearInterval(sampling);
idleInAll.sample();
report.end();
await finished(report);
const unlisted = skipped.filter((line) => !allowed.some((name) => line.startsWith(name)));
for (const line of failed) process.stdout.write(`failed: ${line}\n`);
for (const line of skipped) process.stdout.write(`skipped: ${line}\n`);
for (const line of unlisted) {
  process.stdout.write(`skipped without standing in test/allowed-skips.txt: ${line}\n`);
}
const slowest = [...seconds].sort(([, a], [, b]) => b - a).slice(0, 3);
const named = slowest.map(([file, spent]) => `${file} ${(spent / 60).toFixed(1)}`).join(", ");
process.stdout.write(`\nminutes of the slowest files: ${named}\n`);
process.stdout.write(`the processors were idle for ${Math.round(idleInAll.share * 100)} %\n`);
if (isRecorded) {
  writeFileSync(SECONDS_FILE, withMeasured(readFileSync(SECONDS_FILE, "utf8"), seconds));
}
process.stdout.write(`${passed} passed, ${failed.length} failed, ${skipped.length} skipped\n`);
process.exitCode = failed.length > 0 || passed === 0 || unlisted.length > 0 ? 1 : 0;

/** Each run ends with its totals; ours are of all files. */
function isTotal({ type, data }: TestEvent): boolean {
  const totals = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;
  return type === "test:diagnostic" && totals.test(data.message);
}
