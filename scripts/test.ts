/** Everything: installs what is missing, then types, lint, unit, property and interop tests, and end to end against dist/hansa. */
import { STATIC_CHECKS, UNIT_TESTS } from "./check.ts";
import { runSteps } from "./steps.ts";

await runSteps([
  { title: "system packages", argv: ["sh", "scripts/setup-host.sh"] },
  ...STATIC_CHECKS,
  { title: "build memberlist's side of interop", argv: ["node", "test/interop/go-build.ts"] },
  {
    // In one run, because interop waits most of its time, and the others compute.
    title: "unit and property tests, and interop with memberlist",
    argv: ["node", "scripts/node-tests.ts", ...UNIT_TESTS, "test/interop/*.test.ts"],
    minutes: 30,
  },
  { title: "build dist/hansa", argv: ["node", "scripts/build.ts"] },
  {
    title: "end to end on playground hosts",
    argv: ["node", "scripts/node-tests.ts", "test/playground/*.test.ts", "test/e2e/*.test.ts"],
    // Half an hour was needed by a machine with eight programs for each processor; most of it is waiting.
    minutes: 60,
  },
]);
