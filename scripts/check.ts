/** The quick checks of every commit: types, lint, generated reference, unit and architecture tests. */
import { runSteps, type Step } from "./steps.ts";

export const CHECKS: readonly Step[] = [
  { title: "types", argv: ["tsc", "-p", "."] },
  { title: "lint", argv: ["biome", "check", "."] },
  { title: "generated reference", argv: ["node", "scripts/generate-reference.ts", "--check"] },
  {
    title: "unit and property tests",
    argv: [
      "node",
      "scripts/node-tests.ts",
      "src/**/*.test.ts",
      "test/architecture/*.test.ts",
      "test/hostile/*.test.ts",
      "test/openapi/*.test.ts",
      "test/sim/*.test.ts",
      "test/soak/*.test.ts",
      "test/*.test.ts",
    ],
    minutes: 20,
  },
];

if (import.meta.main) await runSteps(CHECKS);
