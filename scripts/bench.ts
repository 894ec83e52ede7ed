/**
 * The benchmarks with one command: installs what is missing, builds, runs `bench/run.ts` with the words given. With `membership` as the first
 * word only our membership against memberlist's, at length (bench/membership/run.ts tells its options).
 */
import { runSteps } from "./steps.ts";

const [subject, ...words] = process.argv.slice(2);
const packages = { title: "system packages", argv: ["sh", "scripts/setup-host.sh"] };
/** Etcd's own client is built from its sources. */
const peers = { ...packages, argv: [...packages.argv, "golang-etcd-server-dev"] };
await runSteps(
  subject === "membership"
    ? [
        packages,
        { title: "membership", argv: ["node", "bench/membership/run.ts", ...words], minutes: 90 },
      ]
    : [
        peers,
        { title: "build dist/hansa", argv: ["node", "scripts/build.ts"] },
        { title: "benchmarks", argv: ["node", "bench/run.ts", ...process.argv.slice(2)] },
      ],
);
