/** End-to-end tests against dist/hansa on playground hosts: `npm run e2e -- test/e2e/launch.test.ts` for one file. */
import { runSteps } from "./steps.ts";

const files = process.argv.slice(2);
await runSteps([
  {
    title: "end to end",
    argv: [
      "node",
      "scripts/node-tests.ts",
      ...(files.length > 0 ? files : ["test/playground/*.test.ts", "test/e2e/*.test.ts"]),
    ],
    minutes: 60,
  },
]);
