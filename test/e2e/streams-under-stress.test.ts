/** Many followers and watchers at one node beside gossip, and cables that are pulled in the middle of a command, a copy and a log. */
import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import {
  eventually,
  hosts,
  launchTogether,
  must,
  NETWORK,
  type StatusDocument,
} from "./cluster.ts";
import type { Followed, Watched } from "./stream-crowd.ts";
import { whileMeasured } from "./worst-slowness.ts";

const CROWD = join(import.meta.dirname, "stream-crowd.ts");
const OURS = ["env", "HANSA_CONTEXTS=/tmp/contexts"] as const;
/** Of a client: what docs/internals/streams.md promises, and the timer's grain. */
const SILENCE_MS = 20_000 + 5_000;
/** On top of that: programs start, and are waited for. */
const SLACK_MS = 10_000;

let playground: Playground;
let one: Host;
let two: Host;
let three: Host;
/** No node. */
let laptop: Host;

before(async () => {
  playground = await hosts("e2estre", 4);
  [one, two, three, laptop] = playground.hosts() as [Host, Host, Host, Host];
  await launchTogether([one, two, three]);
  for (const [name, role] of [
    ["ops", "operator"],
    ["eve", "viewer"],
  ] as const) {
    const exported = ["context", "export", "--role", role, "--for", name];
    const words = (await must(one, "hansa", ...exported)).split(" ");
    await must(laptop, ...OURS, "hansa", "context", "import", ...words, "--name", name);
  }
  await must(laptop, ...OURS, "hansa", "context", "switch", "ops");
});
after(() => playground?.down());

/** What a program says, as it comes. */
class Told {
  stdout = "";
  stderr = "";
  readonly exit: Promise<number | null>;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;

  constructor(child: ChildProcessByStdio<Writable, Readable, Readable>) {
    this.#child = child;
    child.stdout.on("data", (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    child.stdin.on("error", () => undefined);
    this.exit = new Promise((resolve) => child.once("close", resolve));
  }

  /** Whole lines of the standard output. */
  get lines(): string[] {
    return this.stdout.split("\n").slice(0, -1);
  }

  says(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Ends with its input, as what runs on a host does; one that does not is ended. */
  async end(): Promise<void> {
    this.#child.stdin.end();
    this.#child.kill("SIGKILL");
    await this.exit;
  }
}

/** Clients of host1 alone by the context `name`, in the laptop's network and with this machine's files. One that is slow would else be left for the next. */
async function crowd(name: string, ...words: string[]): Promise<Told> {
  const context = await must(laptop, "cat", `/tmp/contexts/${name}.json`);
  const argv = ["-t", `${laptop.pid}`, "-n", "--", process.execPath, CROWD, ...words];
  const told = new Told(spawn("nsenter", argv, { stdio: ["pipe", "pipe", "pipe"] }));
  told.says(JSON.stringify({ ...JSON.parse(context), api: [`${one.ip()}:1443`] }));
  return told;
}

function saysNow<T>({ lines, stderr }: Told): T {
  const last = lines.at(-1);
  if (last === undefined) throw new Error(`it says nothing: ${stderr}`);
  return JSON.parse(last);
}

/** States of members other than alive that a node showed from now on. */
function suspicions(host: Host): { readonly ended: () => Promise<readonly string[]> } {
  const watch = new Told(host.spawn(["hansa", "status", "--watch", "-o", "json"]));
  return {
    async ended() {
      await eventually(`${host.name} told its status`, 20_000, async () =>
        watch.lines.length > 0 ? true : undefined,
      );
      await watch.end();
      return watch.lines
        .map((line): StatusDocument => JSON.parse(line))
        .flatMap(({ peers }) => peers.filter(({ state }) => state !== "alive"))
        .map(({ name, state }) => `${host.name} held ${name} to be ${state}`);
    },
  };
}

/** Gossip was as ever while `job` ran. */
async function unharmed(job: () => Promise<void>): Promise<void> {
  const watched = [one, two, three].map(suspicions);
  const { worst, starved } = await whileMeasured(job);
  const found = (await Promise.all(watched.map((each) => each.ended()))).flat();
  const grave = starved ? found.filter((text) => !text.endsWith("suspect")) : found;
  assert.deepEqual(grave, [], `the machine was ${worst.toFixed(1)} times slower than at rest`);
}

/** MiB that the daemon holds for itself. */
async function memoryOf(host: Host): Promise<number> {
  const script = "grep RssAnon /proc/$(cut -d' ' -f1 /run/hansa/daemon.pid)/status";
  const [, kib = ""] = /(\d+) kB/.exec(await must(host, "sh", "-c", script)) ?? [];
  return Number(kib) / 1024;
}

/** Says lines with their numbers: the first at once, the others once it was told to, each of some 500 bytes. */
async function talker(host: Host, name: string, count: number, pauseUs: number): Promise<void> {
  const script = [
    "p=$(head -c 490 /dev/zero | tr '\\0' x); echo line 1; while [ ! -e /go ]; do usleep 50000; done",
    `i=1; while [ $i -lt ${count} ]; do i=$((i+1)); echo line $i $p; usleep ${pauseUs}; done; sleep 100000`,
  ].join("; ");
  await must(
    host,
    "docker",
    "run",
    "-d",
    "--name",
    name,
    ...NETWORK,
    "busybox",
    "sh",
    "-c",
    script,
  );
}

test("50 followers of logs at one node, and ten that read nothing: each gets every line, memory is bounded, nobody is suspected", async () => {
  const LINES = 2_000;
  await Promise.all([talker(one, "near", LINES, 1_000), talker(two, "far", LINES, 1_000)]);
  await eventually("the laptop sees both", 20_000, async () => {
    const seen = await must(laptop, ...OURS, "hansa", "ps");
    return /near/.test(seen) && /far/.test(seen) ? true : undefined;
  });
  const followed = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? "near" : "far"));
  const stuck = Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? "-near" : "-far"));
  await unharmed(async () => {
    const before = await memoryOf(one);
    const followers = await crowd("eve", "follow", ...followed, ...stuck);
    let most = before;
    try {
      await eventually("all follow", 120_000, async () =>
        saysNow<Followed>(followers).begun === 60 ? true : undefined,
      );
      await Promise.all([
        must(one, "docker", "exec", "near", "touch", "/go"),
        must(two, "docker", "exec", "far", "touch", "/go"),
      ]);
      const said = await eventually("all lines came", 180_000, async () => {
        most = Math.max(most, await memoryOf(one));
        const now = saysNow<Followed>(followers);
        if (now.least === LINES) return now;
        throw new Error(`the last of them has ${now.least} lines`);
      });
      assert.deepEqual([said.wrong, said.notes], [[], []]);
    } finally {
      await followers.end();
    }
    // Windows, TLS and what waits to be collected: eight times the lines took 1.7 times the memory.
    assert.ok(most - before < 256, `the daemon grew from ${before} to ${most} MiB`);
  });
});

test("500 watchers beside gossip: each is told a change, memory is bounded, nobody is suspected, and one too many is refused", async () => {
  await unharmed(async () => {
    const before = await memoryOf(one);
    const watchers = await crowd("ops", "watch", "520");
    try {
      const had = await eventually("there are as many as may", 180_000, async () => {
        const now = saysNow<Watched>(watchers);
        if (now.begun + now.refused.length === 520) return now;
        throw new Error(JSON.stringify(now));
      });
      // Those that watch the status above have places as well.
      assert.ok(had.begun >= 500 && had.begun <= 512, JSON.stringify(had));
      assert.match(had.refused.join("\n"), /^API_WATCHERS_MANY: /m);
      const other = await crowd("eve", "watch", "1");
      try {
        await eventually("somebody else's certificate has a place", 20_000, async () =>
          saysNow<Watched>(other).begun === 1 ? true : undefined,
        );
      } finally {
        await other.end();
      }
      await must(one, "hansa", "connect", "192.0.2.77");
      await eventually("each was told", 30_000, async () =>
        saysNow<Watched>(watchers).told["192.0.2.77"] === had.begun ? true : undefined,
      );
      const grew = (await memoryOf(one)) - before;
      assert.ok(grew < 256, `the daemon grew by ${grew} MiB`);
    } finally {
      await watchers.end();
      await must(one, "hansa", "forget", "192.0.2.77");
    }
  });
});

/** A command, a log and copies both ways with containers of host2, all under way. */
interface UnderWay {
  readonly command: Told;
  readonly log: Told;
  readonly copyIn: Told;
  readonly copyOut: Told;
}

const SLOWLY = "while dd bs=16k count=1 2>/dev/null | grep -q ''; do sleep 0.05; done";
const FEED = "while dd bs=16k count=1 2>/dev/null; do sleep 0.05; done";

function onLaptop(script: string): Told {
  return new Told(laptop.spawn(["sh", "-c", script]));
}

async function begin(prefix: string): Promise<UnderWay> {
  const hansa = `${OURS.join(" ")} hansa`;
  const sleeper = ["busybox", "sleep", "100000"];
  await Promise.all([
    ...["cmd", "in", "out"].map((name) =>
      must(two, "docker", "run", "-d", "--name", `${prefix}${name}`, ...NETWORK, ...sleeper),
    ),
    talker(two, `${prefix}log`, 1_000_000, 20_000),
  ]);
  await must(two, "docker", "exec", `${prefix}out`, "truncate", "-s", "1G", "/root/big");
  await must(two, "docker", "exec", `${prefix}log`, "touch", "/go");
  await must(laptop, "truncate", "-s", "1G", "/tmp/big");
  const begun = {
    command: onLaptop(`${hansa} exec host2/${prefix}cmd sh -c 'echo begun; sleep 5000'`),
    log: onLaptop(`exec ${hansa} logs -f host2/${prefix}log`),
    copyIn: onLaptop(
      `tar -C /tmp -cf - big | { ${FEED}; } | { ${hansa} cp - host2/${prefix}in:/root; echo "status $?" >&2; }`,
    ),
    copyOut: onLaptop(
      `{ ${hansa} cp host2/${prefix}out:/root/big -; echo "status $?" >&2; } | { ${SLOWLY}; }`,
    ),
  };
  await eventually("all are under way", 40_000, async () => {
    if (!/begun/.test(begun.command.stdout)) throw new Error(begun.command.stderr);
    if (begun.log.lines.length < 50) throw new Error(begun.log.stderr);
    const audit = await must(two, "cat", "/var/lib/hansa/log/audit.log");
    for (const [what, name] of [
      ["writeArchive", "in"],
      ["readArchive", "out"],
    ]) {
      if (!audit.includes(`"operation":"${what}","container":"host2/${prefix}${name}"`))
        throw new Error(`no ${what} yet`);
    }
    return true;
  });
  return begun;
}

async function endAll(begun: UnderWay): Promise<void> {
  await Promise.all(Object.values(begun).map((each: Told) => each.end()));
}

/** The command and the copies were told that they are cut off, and the log that it is tried again, in time. */
async function areTold({ command, log, copyIn, copyOut }: UnderWay, since: number): Promise<void> {
  const within = SILENCE_MS + SLACK_MS - (fairNow() - since);
  await eventually("each is told", within, async () => {
    if (!/Error: .* was lost while the command ran/.test(command.stderr))
      throw new Error(`the command: ${command.stderr}`);
    if (!/Error: the connection was lost while .* was copied: what had arrived/.test(copyIn.stderr))
      throw new Error(`the copy into: ${copyIn.stderr}`);
    if (
      !/Error: the connection was lost while .* was copied: what was written/.test(copyOut.stderr)
    )
      throw new Error(`the copy out of: ${copyOut.stderr}`);
    if (
      !/connection to the log of \S+ was lost; shown are its lines up to .*; trying again/.test(
        log.stderr,
      )
    )
      throw new Error(`the log: ${log.stderr}`);
    return true;
  });
  assert.equal(await command.exit, 125);
  for (const copy of [copyIn, copyOut]) {
    await eventually("the copy ends", SLACK_MS, async () =>
      /status 125/.test(copy.stderr) ? true : undefined,
    );
  }
}

/** More of the log comes, each line once and in its order. */
async function goesOn({ log }: UnderWay, withinMs: number): Promise<void> {
  const had = log.lines.length;
  await eventually("the log goes on", withinMs, async () => {
    if (log.lines.length > had + 100) return true;
    throw new Error(log.stderr);
  });
  const numbers = log.lines.map((line) => line.split(" ")[1]);
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => `${index + 1}`),
  );
}

test("the cable of the node with the containers is pulled: command, copies and log are told in time, and the log goes on after it is plugged in", async () => {
  const begun = await begin("a");
  try {
    const cutAt = fairNow();
    await playground.cut(2);
    await areTold(begun, cutAt);
    await playground.mend(2);
    await goesOn(begun, 60_000);
  } finally {
    await playground.mend(2);
    await endAll(begun);
  }
});

test("the cable of the node that is asked is pulled: the same, and the log goes on through another node meanwhile", async () => {
  await eventually("host2 is reached", 30_000, async () => {
    await must(laptop, ...OURS, "hansa", "ps");
    return true;
  });
  const begun = await begin("b");
  try {
    const cutAt = fairNow();
    await playground.cut(1);
    await areTold(begun, cutAt);
    await goesOn(begun, 60_000);
  } finally {
    await playground.mend(1);
    await endAll(begun);
  }
});
