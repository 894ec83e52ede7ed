/** The quick checks of every commit: types, lint, generated reference, unit and architecture tests. */
import { runSteps, type Step } from "./steps.ts";

/** All tests that need no playground host. */
export const UNIT_TESTS: readonly string[] = [
  "src/**/*.test.ts",
  "test/{architecture,history,hostile,openapi,sim,soak}/*.test.ts",
  "test/*.test.ts",
  "scripts/**/*.test.ts",
];

/** What needs nothing to be run. */
export const STATIC_CHECKS: readonly Step[] = [
  { title: "types", argv: ["tsc", "-p", "."] },
  { title: "lint", argv: ["biome", "check", "."] },
  { title: "generated reference", argv: ["node", "scripts/generate-reference.ts", "--check"] },
];

const CHECKS: readonly Step[] = [
  ...STATIC_CHECKS,
  {
    title: "unit and property tests",
    argv: ["node", "scripts/node-tests.ts", ...UNIT_TESTS],
    minutes: 20,
  },
];

if (import.meta.main) await runSteps(CHECKS);
