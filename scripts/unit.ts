/** Unit and property tests beside the code: `npm run unit -- src/ipam` for one folder, all without an argument. */
import { UNIT_TESTS } from "./check.ts";
import { runSteps } from "./steps.ts";

const folders = process.argv.slice(2);
const patterns =
  folders.length > 0
    ? folders.map((folder) => `${folder.replace(/\/$/, "")}/**/*.test.ts`)
    : UNIT_TESTS;
await runSteps([{ title: "unit", argv: ["node", "scripts/node-tests.ts", ...patterns] }]);
