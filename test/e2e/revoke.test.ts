/** A context that is called back is good nowhere any more: at once where it is heard, later where a node was cut off, and after restarts. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { type Answer, eventually, hosts, launchTogether, must } from "./cluster.ts";

let playground: Playground;
let one: Host;
let two: Host;
let three: Host;
/** No node of the cluster. */
let laptop: Host;

before(async () => {
  playground = await hosts("e2erevk", 4);
  [one, two, three, laptop] = [1, 2, 3, 4].map((number) => playground.host(number)) as [
    ...[Host, Host, Host, Host],
  ];
  await launchTogether([one, two, three]);
});
after(() => playground?.down());

/** The hosts of a playground share their home, so contexts go elsewhere. */
const OURS = ["env", "HANSA_CONTEXTS=/tmp/contexts"] as const;
const REVOKED = /Error: the certificate of [a-z]+ was revoked at \S+ by \S+\n/;

function ran(context: string, ...words: string[]): Promise<Answer> {
  return laptop.exec([...OURS, "hansa", "--context", context, ...words], { timeoutMs: 120_000 });
}

/** Exports on `from` for `holder`, with `place` as the only node, and imports on the laptop under `name`. */
async function hand(from: Host, holder: string, place: Host, name: string): Promise<void> {
  const api = `${place.ip(0)}:1443`;
  const words = await must(from, "hansa", "context", "export", "--for", holder, "--api", api);
  await must(laptop, ...OURS, "hansa", "context", "import", ...words.split(" "), "--name", name);
}

interface Known {
  readonly serial: string;
  readonly name: string;
  readonly revoked: { readonly by: string } | null;
}

async function issued(host: Host): Promise<readonly Known[]> {
  return JSON.parse(await must(host, "hansa", "context", "issued", "-o", "json")).certificates;
}

interface Watch {
  /** Its exit status, once it ended. */
  readonly ended: () => number | undefined;
  readonly err: () => string;
}

/** A watch by a context that stands: it was told the status once. */
async function watching(context: string): Promise<Watch> {
  const words = ["--context", context, "status", "--watch", "-o", "json"];
  const child = laptop.spawn([...OURS, "hansa", ...words]);
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  await eventually(`${context} watches`, 20_000, async () => {
    if (child.exitCode !== null) throw new Error(err);
    return out.includes("\n") || undefined;
  });
  return { ended: () => child.exitCode ?? undefined, err: () => err };
}

test("every node knows who holds what; revoked on one, by its serial, it is refused on the others and what is open ends within a second", async () => {
  await hand(one, "ada", two, "ada");
  await hand(two, "eve", two, "eve");
  const watch = await watching("ada");
  const known = await eventually("host3 heard of both", 5_000, async () => {
    const all = await issued(three);
    return all.length === 2 ? all : undefined;
  });
  const serial = known.find(({ name }) => name === "ada")?.serial ?? "";
  assert.match(serial, /^[0-9a-f]{32}$/);
  const said = await must(three, "hansa", "context", "revoke", serial);
  assert.equal(said, `revoked: ${serial} of ada (admin)`);
  assert.equal(await eventually("the watch ends", 5_000, async () => watch.ended()), 1);
  assert.match(watch.err(), REVOKED);
  for (const words of [["status"], ["connect", "host9"], ["context", "export"]]) {
    const refused = await ran("ada", ...words);
    assert.equal(refused.status, 1, words.join(" "));
    assert.match(refused.stderr, REVOKED);
  }
  assert.equal((await ran("ada", "context", "revoke", "eve")).status, 1);
  assert.equal((await ran("eve", "status")).status, 0);
});

test("a node that was cut off refuses it as soon as it is back, and one that restarts still does", async () => {
  await hand(one, "bob", three, "bob");
  await eventually("host3 serves bob", 5_000, async () =>
    (await ran("bob", "status")).status === 0 ? true : undefined,
  );
  await playground.part([
    [1, 2],
    [3, 4],
  ]);
  const revoked = await one.exec(["hansa", "context", "revoke", "bob"], { timeoutMs: 120_000 });
  assert.equal(revoked.status, 0, revoked.stderr);
  assert.match(revoked.stdout, /^revoked: [0-9a-f]{32} of bob \(admin\)$/m);
  assert.match(revoked.stderr, /not confirmed by host3: refused there as soon as they hear of it/);
  assert.equal((await ran("bob", "status")).status, 0, "host3 cannot know it yet");
  const watch = await watching("bob");
  await playground.heal();
  await eventually("the watch ends", 60_000, async () => watch.ended());
  assert.match(watch.err(), REVOKED);
  await must(three, "sh", "-c", "kill -9 $(cut -d' ' -f1 /run/hansa/daemon.pid)");
  await eventually("host3 refuses bob after its restart", 20_000, async () =>
    REVOKED.test((await ran("bob", "status")).stderr) ? true : undefined,
  );
  const log = await must(three, "cat", "/var/lib/hansa/log/daemon.log");
  assert.match(log, /connections of revoked certificates were ended/);
});

test("a holder who is revoked by name may be given another, which is good", async () => {
  await hand(two, "bob", three, "again");
  assert.equal((await ran("again", "status")).status, 0);
  assert.match((await ran("bob", "status")).stderr, REVOKED);
  const table = await must(two, "hansa", "context", "issued");
  assert.match(table, /^HOLDER +ROLE +SERIAL +MADE +BY +NODE +EXPIRES +STATE$/m);
  assert.match(table, /^bob .* revoked \S+ by local$/m);
  assert.match(table, /^bob .* good$/m);
  assert.match(table, /^whatever bob held before \S+ is revoked, by local$/m);
  const log = await must(one, "cat", "/var/lib/hansa/log/audit.log");
  assert.match(log, /"who":"local".*"operation":"revokeCertificates","result":"ok"/);
});
