/** Everything: installs what is missing, then types, lint, unit, property and end-to-end tests against dist/hansa. */
import { CHECKS } from "./check.ts";
import { runSteps } from "./steps.ts";

await runSteps([
  { title: "system packages", argv: ["sh", "scripts/setup-host.sh"] },
  ...CHECKS,
  { title: "build dist/hansa", argv: ["node", "scripts/build.ts"] },
  {
    title: "end to end on playground hosts",
    argv: ["node", "scripts/node-tests.ts", "test/playground/*.test.ts", "test/e2e/*.test.ts"],
  },
]);
