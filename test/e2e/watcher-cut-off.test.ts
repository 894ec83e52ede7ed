/** A watcher by a context whose cable is pulled: the node ends the connection, which nothing else on it would ever end. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { eventually, hosts, launch, must } from "./cluster.ts";

let playground: Playground;
let one: Host;
/** No node. */
let laptop: Host;

before(async () => {
  playground = await hosts("e2ecutw", 2);
  [one, laptop] = playground.hosts() as [Host, Host];
  await launch(one, 1);
});
after(() => playground?.down());

const OURS = ["env", "HANSA_CONTEXTS=/tmp/contexts"] as const;
/** Seven times the same bytes: 25 s, a sign of life before it and a look after it each within 10 s; and twice as much for a machine that is busy. */
const ENDED_MS = 90_000;

/** Connections of the laptop that the node holds to stand. */
async function standing(): Promise<string[]> {
  const rows = await must(one, "ss", "-Htn", "state", "established", "sport = :1443");
  return rows.split("\n").filter((row) => row.includes(`${laptop.ip()}`));
}

test("the cable of a watcher's host is pulled: the node ends its connection and says why", async () => {
  const words = (await must(one, "hansa", "context", "export")).split(" ");
  await must(laptop, ...OURS, "hansa", "context", "import", ...words, "--name", "office");
  await must(laptop, ...OURS, "hansa", "context", "switch", "office");
  const watch = laptop.spawn([...OURS, "hansa", "status", "--watch", "-o", "json"]);
  let out = "";
  watch.stdout.on("data", (part: Buffer) => {
    out += part;
  });
  try {
    await eventually("it watches", 30_000, async () => (out.includes("\n") ? true : undefined));
    assert.equal((await standing()).length, 1);
    await playground.cut(2);
    await eventually("the node ended it", ENDED_MS, async () => {
      const rows = await standing();
      if (rows.length === 0) return true;
      throw new Error(rows.join("\n"));
    });
    const log = await must(one, "cat", "/var/lib/hansa/log/daemon.log");
    const lines = log.split("\n").filter((line) => line.includes("does not answer any more"));
    assert.match(lines.join("\n"), new RegExp(`${laptop.ip()}`));
  } finally {
    watch.kill("SIGKILL");
    await playground.mend(2);
  }
});
