/**
 * Runs node:test over some files and holds it to two rules of ours: at least one test ran, and every skipped test stands,
 * with its reason, in test/allowed-skips.txt.
 *
 * Usage: node scripts/node-tests.ts PATTERN…   (patterns are globs from the repository's root)
 */
import { globSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { ROOT } from "./steps.ts";

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
let failed = 0;
const skipped: string[] = [];
const minutes: { readonly file: string; readonly spent: number }[] = [];

const stream = run({
  files: files.map((file) => join(ROOT, file)),
  // Playgrounds of different names share nothing, and most of a test is waiting.
  concurrency: 2,
  timeout: 15 * 60_000,
});
stream.on("test:pass", (event) => {
  if (event.details.type === "suite") return;
  if (event.skip !== undefined && event.skip !== false) {
    skipped.push(`${event.name}${typeof event.skip === "string" ? `: ${event.skip}` : ""}`);
  } else if (event.nesting > 0 || event.name.endsWith(".ts") === false) passed += 1;
});
stream.on("test:fail", (event) => {
  if (event.details.type !== "suite") failed += 1;
});
stream.on("test:summary", ({ file, duration_ms: ms }) => {
  if (file !== undefined) minutes.push({ file: relative(ROOT, file), spent: ms / 60_000 });
});
stream.compose(spec()).pipe(process.stdout);
stream.on("end", () => {
  const unlisted = skipped.filter((line) => !allowed.some((name) => line.startsWith(name)));
  for (const line of skipped) process.stdout.write(`skipped: ${line}\n`);
  for (const line of unlisted) {
    process.stdout.write(`skipped without standing in test/allowed-skips.txt: ${line}\n`);
  }
  const slowest = minutes.toSorted((a, b) => b.spent - a.spent).slice(0, 3);
  const named = slowest.map(({ file, spent }) => `${file} ${spent.toFixed(1)}`).join(", ");
  process.stdout.write(`\nminutes of the slowest files: ${named}\n`);
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped.length} skipped\n`);
  process.exitCode = failed > 0 || passed === 0 || unlisted.length > 0 ? 1 : 0;
});
