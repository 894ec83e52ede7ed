/** The benchmarks with one command: installs what is missing, builds, runs `bench/run.ts` with the words given. */
import { runSteps } from "./steps.ts";

await runSteps([
  { title: "system packages", argv: ["sh", "scripts/setup-host.sh"] },
  { title: "build dist/hansa", argv: ["node", "scripts/build.ts"] },
  { title: "benchmarks", argv: ["node", "bench/run.ts", ...process.argv.slice(2)] },
]);
