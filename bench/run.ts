/**
 * The benchmarks of a running cluster, each against a peer in the same run on the same playground hosts.
 *
 * `npm run bench` prints the rows of each section as it has them; `--only SECTION[,SECTION…]` runs some; with `--json` the rows come as one document at
 * the end, and the sections' tables go to standard error. Runs alternate ours and theirs, so that what else the machine does falls on both.
 */
import { parseArgs } from "node:util";
import { Playground } from "../src/playground/playground.ts";
import { apiReadRows } from "./api-reads.ts";
import { formHansa, HANSA, HOSTS } from "./cluster.ts";
import { dockerRunRows, execRows, smallCommandRows } from "./commands.ts";
import { containerRows } from "./containers.ts";
import { formationRows } from "./formation.ts";
import { hostCutSeconds } from "./host-cut.ts";
import { addressRequests, pairsWithLeases } from "./ipam-plugin.ts";
import { linkCutRows } from "./link-cut.ts";
import { membershipRows } from "./membership/membership-rows.ts";
import { mirrorRows } from "./mirror.ts";
import { median, percentile, type Row, table } from "./samples.ts";
import { storeRows } from "./store.ts";
import { throughputRows } from "./throughput.ts";
import { voteRows } from "./votes.ts";

/** Those with a playground share one cluster of four, in this order. */
type Section =
  | { readonly on: "nothing"; readonly rows: () => Promise<Row[]> }
  | { readonly on: "cluster"; readonly rows: (playground: Playground) => Promise<Row[]> };

const SECTIONS: Readonly<Record<string, Section>> = {
  formation: { on: "nothing", rows: formationRows },
  run: { on: "cluster", rows: dockerRunRows },
  commands: { on: "cluster", rows: smallCommandRows },
  exec: { on: "cluster", rows: execRows },
  plugin: { on: "nothing", rows: pluginRows },
  cut: { on: "cluster", rows: cutRows },
  links: { on: "nothing", rows: linkCutRows },
  api: { on: "cluster", rows: (playground) => apiReadRows(playground, 3) },
  containers: { on: "cluster", rows: (playground) => containerRows(playground, 100) },
  throughput: { on: "nothing", rows: () => throughputRows(3) },
  mirror: { on: "nothing", rows: mirrorRows },
  store: { on: "nothing", rows: storeRows },
  votes: { on: "nothing", rows: voteRows },
  // In short; `npm run bench -- membership` has all sizes and more rounds.
  membership: {
    on: "nothing",
    rows: () =>
      membershipRows(
        { shapes: [{ nodes: 64, processes: 1 }], rounds: 2, lives: 1, idleSeconds: 15 },
        () => undefined,
      ),
  },
};

async function pluginRows(): Promise<Row[]> {
  const requests = await addressRequests(1000);
  const { without, holding } = await pairsWithLeases(1000, 1000);
  return [
    {
      figure: "address request at the plugin, p99",
      ours: percentile(requests, 0.99),
      peer: Number.NaN,
      peerName: "-",
      unit: "ms",
      compare: "absolute",
      target: 2,
      samples: requests.length,
    },
    {
      figure: "address request and release, with 1,000 leases",
      ours: median(holding),
      peer: median(without),
      peerName: "without leases",
      unit: "ms",
      compare: "ratio",
      target: 1,
      samples: holding.length,
    },
  ];
}

async function cutRows(playground: Playground): Promise<Row[]> {
  const samples = await hostCutSeconds(playground, 5);
  return [
    {
      figure: "host cut, until no other host shows it established, slowest",
      ours: Math.max(...samples),
      peer: Number.NaN,
      peerName: "-",
      unit: "s",
      compare: "absolute",
      target: 3,
      samples: samples.length,
    },
  ];
}

const { values } = parseArgs({
  options: { json: { type: "boolean", default: false }, only: { type: "string" } },
});
const wanted = values.only?.split(",") ?? Object.keys(SECTIONS);
const unknown = wanted.filter((name) => !Object.hasOwn(SECTIONS, name));
if (unknown.length > 0) {
  const known = Object.keys(SECTIONS).join(", ");
  process.stderr.write(`there is no section ${unknown.join(", ")}; there are ${known}\n`);
  process.exit(1);
}

const all: Row[] = [];
let playground: Playground | undefined;
try {
  for (const [name, section] of Object.entries(SECTIONS)) {
    if (!wanted.includes(name)) continue;
    const began = performance.now();
    let rows: Row[];
    if (section.on === "cluster") {
      if (playground === undefined) {
        playground = await Playground.up({
          ...{ name: "bench", hosts: HOSTS.length, links: 1, binary: HANSA },
        });
        await formHansa(playground);
      }
      rows = await section.rows(playground);
    } else {
      rows = await section.rows();
    }
    all.push(...rows);
    const took = ((performance.now() - began) / 1000).toFixed(0);
    const out = values.json ? process.stderr : process.stdout;
    out.write(`${name}, ${took} s\n${table(rows)}\n\n`);
  }
} finally {
  await playground?.down();
}
if (values.json) process.stdout.write(`${JSON.stringify({ rows: all }, null, 2)}\n`);
