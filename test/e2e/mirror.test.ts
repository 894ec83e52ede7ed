/** The configuration on every node: written through any, read without a majority with its age, whole after a crash. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { StoreView } from "../../src/api/store-schemas.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import { eventually, hansa, hosts, launch, must } from "./cluster.ts";
import { got, put } from "./store-entries.ts";

let playground: Playground;
let voters: Host[];
/** Has the id 5 and no vote. */
let five: Host;
let all: Host[];

before(async () => {
  playground = await hosts("e2emirr", 4);
  voters = [1, 2, 3].map((number) => playground.host(number));
  five = playground.host(4);
  all = [...voters, five];
  await Promise.all(voters.map((host) => launch(host, host.number, "host1", "host2")));
  await launch(five, 5, "host1", "host2");
  await must(playground.host(1), "hansa", "create", "prod");
  await eventually("three votes", 30_000, async () => {
    const { votes, quorate } = await view(playground.host(1));
    return quorate && votes.expected === 3 && votes.answering === 3 ? true : undefined;
  });
});
after(() => playground?.down());

async function view(host: Host): Promise<StoreView> {
  const { stdout, stderr } = await hansa(host, "store", "-o", "json");
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

interface Read {
  readonly value: string;
  readonly stale: boolean;
  readonly ageMs: number | null;
}

/** By a majority where there is one, else from the host's copy. */
async function read(host: Host, key: string): Promise<Read> {
  return JSON.parse(await must(host, "hansa", "config", "get", key, "-o", "json"));
}

/** The copy of the whole store on the host's disk is as new as that, or newer: the cluster writes down nodes by itself. */
async function mirrored(host: Host, revision: string): Promise<void> {
  await eventually(`${host.name} has a copy of revision ${revision}`, 20_000, async () => {
    const { copy } = await view(host);
    return copy && BigInt(copy.revision) >= BigInt(revision) ? true : undefined;
  });
}

async function killDaemon(host: Host): Promise<void> {
  await must(host, "sh", "-c", "kill -9 $(cut -d' ' -f1 /run/hansa/daemon.pid)");
}

async function answers(host: Host): Promise<void> {
  await eventually(`${host.name} answers`, 30_000, async () =>
    (await hansa(host, "version")).status === 0 && (await hansa(host, "status")).status === 0
      ? true
      : undefined,
  );
}

test("what is written on a node without a vote is read on every node at once, and all have a copy of it within a second", async (context) => {
  await put(five, "motd", "from five");
  const began = fairNow();
  for (const host of all) assert.equal(await got(host, "motd"), "from five", host.name);
  const { copy } = await view(five);
  assert.ok(copy);
  for (const host of all) await mirrored(host, copy.revision);
  context.diagnostic(`all read and mirrored after ${Math.round(fairNow() - began)} ms`);
  await eventually("it is told as the majority's", 20_000, async () =>
    (await read(five, "motd")).stale ? undefined : true,
  );
  const bytes = "head -c 5000 /dev/urandom > /tmp/bytes";
  await must(five, "sh", "-c", bytes);
  await eventually("bytes are written and read", 30_000, async () => {
    await must(five, "hansa", "config", "put", "files/bytes", "--file", "/tmp/bytes");
    await must(five, "sh", "-c", "hansa config get files/bytes --consistent | cmp - /tmp/bytes");
    return true;
  });
  await must(five, "sh", "-c", "head -c 1048577 /dev/zero > /tmp/large");
  const refused = await hansa(five, "config", "put", "large", "--file", "/tmp/large");
  assert.match(refused.stderr, /large would have more than 1048576 bytes/);
  const most = "head -c 1048576 /tmp/large | hansa config put large -";
  // So much takes a busy machine longer than a write may.
  await eventually("as large as may be", 30_000, async () => {
    await must(five, "sh", "-c", most);
    return true;
  });
  const whole = "hansa config get large --consistent | cmp - /dev/zero 2>&1 | grep 'EOF.* 1048576'";
  await eventually("all of it is read", 30_000, async () => {
    await must(five, "sh", "-c", whole);
    return true;
  });
});

test("changes are watched on any node, told by their history, and made in an editor", async () => {
  const watch = "hansa config watch app/ -o json > /tmp/watched 2> /tmp/watching & echo $!";
  const pid = await must(five, "sh", "-c", watch);
  const watched = async (): Promise<unknown[]> => {
    const lines = await must(five, "sh", "-c", "cat /tmp/watched");
    return lines.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
  };
  // It begins with what comes after it: only that tells that it has begun.
  await eventually("it is watched", 30_000, async () => {
    await put(playground.host(2), "app/begin", "x");
    return (await watched()).length > 0 ? true : undefined;
  });
  const before = (await watched()).length;
  await put(playground.host(2), "app/one", "first");
  await put(playground.host(2), "other", "not told");
  const isTold = (value: string) => async (): Promise<true | undefined> =>
    (await watched()).some((change) => (change as { value?: string }).value === value)
      ? true
      : undefined;
  await eventually("the change is told", 30_000, isTold("first"));
  await killDaemon(five);
  await put(playground.host(2), "app/one", "while it was away");
  await answers(five);
  await must(playground.host(2), "hansa", "config", "rm", "app/begin");
  await put(playground.host(2), "app/one", "last");
  await eventually("what came meanwhile is told too", 30_000, isTold("last"));
  assert.deepEqual(
    (await watched()).slice(before).map((change) => {
      const { type, key, value } = change as { type: string; key: string; value?: string };
      return [type, key, value ?? null];
    }),
    [
      ["put", "app/one", "first"],
      ["put", "app/one", "while it was away"],
      ["remove", "app/begin", null],
      ["put", "app/one", "last"],
    ],
  );
  await must(five, "kill", pid);
  const history = await must(five, "hansa", "config", "history", "app/one");
  assert.deepEqual(
    history.split("\n").map((line) => line.split(/\s{2,}/).slice(2)),
    [
      ["CHANGE", "VALUE"],
      ["written", "first"],
      ["written", "while it was away"],
      ["written", "last"],
    ],
  );
  const editor = (text: string): string[] => [
    ...["sh", "-c", `printf '#!/bin/sh\\n${text}\\n' > /tmp/editor; chmod +x /tmp/editor`],
  ];
  await must(five, ...editor('sed -i s/last/edited/ "$1"'));
  await must(five, "env", "EDITOR=/tmp/editor", "hansa", "config", "edit", "app/one");
  assert.equal(await got(five, "app/one"), "edited");
  await must(five, ...editor('hansa config put app/one quicker; echo mine > "$1"'));
  const late = await five.exec(["env", "EDITOR=/tmp/editor", "hansa", "config", "edit", "app/one"]);
  assert.equal(late.status, 1);
  const kept = /app\/one was changed by somebody else meanwhile.*; your text is kept in (\S+)/.exec(
    late.stderr,
  )?.[1];
  assert.ok(kept, late.stderr);
  assert.equal(await must(five, "cat", kept), "mine");
  assert.equal(await got(five, "app/one"), "quicker");
  for (const key of ["app/one", "other"]) {
    await eventually(`${key} is removed`, 30_000, async () => {
      const { status, stderr } = await hansa(five, "config", "rm", key);
      // 3: it is gone, by a try whose answer came too late.
      if (status !== 0 && status !== 3) throw new Error(stderr);
      return true;
    });
  }
});

test("without any majority each node refuses to write within 2 s, and reads its copy with its age", async (context) => {
  await playground.part([[1], [2], [3], [4]]);
  for (const host of all) {
    const began = fairNow();
    const { status, stderr } = await hansa(host, "config", "put", "motd", "by a minority");
    const ms = fairNow() - began;
    context.diagnostic(
      `${host.name}: ${status} after ${Math.round(ms)} ms: ${stderr.split("\n")[0]}`,
    );
    assert.equal(status, 1);
    assert.match(stderr, /Error: the store has no majority/);
    assert.ok(ms < 2000, `${host.name}: ${ms} ms`);
  }
  const missing = new Map([
    [1, /1 of 3 votes are heard, 2 are needed; missing: host2 \(node 2\), host3 \(node 3\)/],
    [
      4,
      /0 of 3 votes are heard, 2 are needed; missing: host1 \(node 1\), host2 \(node 2\), host3 \(node 3\)/,
    ],
  ]);
  for (const [number, names] of missing) {
    const host = playground.host(number);
    await eventually(`${host.name} names the missing votes`, 30_000, async () => {
      const began = fairNow();
      const { status, stderr } = await hansa(host, "config", "put", "motd", "by a minority");
      assert.equal(status, 1);
      assert.ok(fairNow() - began < 2000);
      return names.test(stderr) ? true : undefined;
    });
  }
  for (const host of all) {
    const { value, stale, ageMs } = await read(host, "motd");
    assert.deepEqual([value, stale], ["from five", true], host.name);
    assert.ok(ageMs !== null && ageMs > 0 && ageMs < 3_600_000, `${host.name}: ${ageMs}`);
    // One with a vote and one without.
    if (host !== five && host.number !== 1) continue;
    const table = await hansa(host, "config", "get", "motd");
    assert.equal(table.stdout, "from five");
    assert.match(table.stderr, /^\[hansa\] as of \d+m?\w* ago: the store has no majority/);
    const consistent = await hansa(host, "config", "get", "motd", "--consistent");
    assert.equal(consistent.status, 1);
    assert.match(consistent.stderr, /Error: the store has no majority/);
    const shown = await hansa(host, "store");
    assert.equal(shown.status, 2, shown.stderr);
    assert.match(shown.stdout, /Copy here: +revision \d+, as of \S+ ago/);
  }
  assert.deepEqual((await must(five, "hansa", "config", "ls")).split("\n"), [
    "files/bytes",
    "large",
    "motd",
  ]);
});

test("a daemon that starts while no voter is heard reads its copy all the same, and its age goes on", async () => {
  const { ageMs: before } = await read(five, "motd");
  await killDaemon(five);
  await answers(five);
  const { value, stale, ageMs } = await read(five, "motd");
  assert.deepEqual([value, stale], ["from five", true]);
  assert.ok((ageMs ?? 0) >= (before ?? 0), `${ageMs} ${before}`);
  const { status, stderr } = await hansa(five, "config", "put", "motd", "by nobody");
  assert.equal(status, 1);
  assert.match(stderr, /missing: host1 \(node 1\), host2 \(node 2\), host3 \(node 3\)/);
  const seen = await view(five);
  assert.deepEqual([seen.name, seen.stale, seen.quorate], ["prod", true, false]);
  assert.deepEqual(
    seen.voters.map(({ name, state }) => [name, state]),
    ["host1", "host2", "host3"].map((name) => [name, "away"]),
  );
});

test("a minority has what the majority wrote meanwhile, by itself, as soon as they meet", async () => {
  await playground.part([
    [1, 2],
    [3, 4],
  ]);
  await eventually("the majority writes", 30_000, async () =>
    (await hansa(playground.host(1), "config", "put", "motd", "by the majority")).status === 0
      ? true
      : undefined,
  );
  for (const number of [3, 4]) {
    const { value, stale } = await read(playground.host(number), "motd");
    assert.deepEqual([value, stale], ["from five", true]);
  }
  await playground.heal();
  for (const number of [3, 4]) {
    await eventually(`host${number} reads it`, 30_000, async () => {
      const { value, stale } = await read(playground.host(number), "motd");
      return value === "by the majority" && !stale ? true : undefined;
    });
  }
});

test("a daemon killed while it writes its copy has it whole afterwards", async () => {
  const write = `i=0; while [ $i -lt 150 ]; do i=$((i + 1)); until curl -sf --unix-socket /run/hansa/hansa.sock -H 'content-type: application/json' -d "{\\"key\\":\\"count\\",\\"value\\":\\"$i\\"}" http://localhost/v1/config/put > /dev/null; do usleep 100000; done; done`;
  const writing = playground.host(1).exec(["sh", "-c", write], { timeoutMs: 300_000 });
  for (let round = 0; round < 3; round++) {
    await killDaemon(five);
    await answers(five);
  }
  assert.equal((await writing).status, 0);
  await eventually("node 5 has all", 30_000, async () =>
    (await read(five, "count")).value === "150" ? true : undefined,
  );
  const { copy } = await view(playground.host(1));
  await mirrored(five, copy?.revision ?? "none");
  // Cut off, it has nothing but its copy.
  await playground.part([[1, 2, 3], [4]]);
  await eventually("node 5 is alone", 30_000, async () =>
    (await read(five, "count")).stale ? true : undefined,
  );
  await killDaemon(five);
  await answers(five);
  assert.equal((await read(five, "count")).value, "150");
  assert.deepEqual(
    await must(five, "sh", "-c", "stat -c '%a' /var/lib/hansa/mirror /var/lib/hansa/mirror/copy"),
    "700\n600",
  );
});
