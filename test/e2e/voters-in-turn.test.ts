/**
 * Four hosts with two networks between them: each voter loses its power, and its etcd and its daemon are killed, one after the other and all at once; a network is lost, and one is cut one way.
 * Clients go on all the while, and what they saw is held to what the store promises.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { nodeClient } from "../../src/client/node-client.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { Clients } from "../history/clients.ts";
import { historyFaults } from "../history/history-faults.ts";
import type { Operation } from "../history/operation.ts";
import { eventually, hosts, must } from "./cluster.ts";
import { got, put } from "./store-entries.ts";

/** From a voter's end until somebody was told that a write which began after it is done: an election of 1 to 2 s, and some of both. */
const WRITTEN_WITHIN_MS = 10_000;
/** From its start until it has its vote again: Docker, the overlay, and etcd after it. */
const BACK_WITHIN_MS = 30_000;
/** All votes of a site that was dark. */
const ALL_BACK_WITHIN_MS = 60_000;
const SEED = 4127;

let playground: Playground;
let members: readonly Host[];
let clients: Clients;

before(async () => {
  playground = await hosts("e2eturn", 4, 2);
  members = playground.hosts();
  const [first, ...others] = members as [Host, ...Host[]];
  const links = (host: Host): string[] => ["--link0", host.ip(0), "--link1", host.ip(1)];
  await must(first, "hansa", "create", "prod", ...links(first));
  const token = await must(first, "hansa", "token", "show");
  // Side by side, as a program would that sets hosts up.
  await Promise.all(
    others.map(async (host) => {
      await must(host, "sh", "-c", `umask 077; echo ${token} > /root/token`);
      const line = ["add", first.ip(0), "--token-file", "/root/token", ...links(host)];
      await must(host, "hansa", ...line);
    }),
  );
  await whole(ALL_BACK_WITHIN_MS);
  await put(first, "before", "everything");
  clients = new Clients({ hosts: members, seed: SEED, count: 3, pauseMs: 100 });
});
after(async () => {
  await clients?.stop();
  await playground?.down();
});

/** Four votes answer, as every one of `those` sees it. */
async function whole(withinMs: number, those = members): Promise<void> {
  await eventually("four votes", withinMs, async () => {
    for (const host of those) {
      const { quorate, votes } = await nodeClient(host.apiSocket).store();
      if (!quorate || votes.expected !== 4 || votes.answering !== 4)
        throw new Error(`${host.name}: ${JSON.stringify(votes)}`);
    }
    return true;
  });
}

/** Of writes that begin from now on `count` are acknowledged, so many of each of `by`. */
async function goesOn(withinMs: number, by: readonly Host[]): Promise<void> {
  const fromMs = performance.now();
  await eventually(`writes by ${by.map(({ name }) => name)}`, withinMs, async () => {
    const done = clients.history.filter((each) => isDone(each) && each.beganMs > fromMs);
    const missing = by.filter(({ number }) => !done.some(({ node }) => node === number));
    if (missing.length > 0) throw new Error(`none by ${missing.map(({ name }) => name)}`);
    return true;
  });
}

function isDone(each: Operation): boolean {
  return each.kind === "write" && each.outcome === "done";
}

function othersThan(host: Host): readonly Host[] {
  return members.filter(({ number }) => number !== host.number);
}

test("each voter in turn loses its power: the others write on, and it comes back into its vote", async () => {
  for (const host of members) {
    await host.kill();
    await goesOn(WRITTEN_WITHIN_MS, othersThan(host));
    await host.boot();
    await whole(BACK_WITHIN_MS);
  }
  await goesOn(WRITTEN_WITHIN_MS, members);
});

test("all lose their power at once: all votes are back without a hand", async () => {
  await Promise.all(members.map((host) => host.kill()));
  await Promise.all(members.map((host) => host.boot()));
  await whole(ALL_BACK_WITHIN_MS);
  await goesOn(WRITTEN_WITHIN_MS, members);
});

/** Pids of the host's etcd and of its daemon; undefined where one of them does not run. */
async function pidsOf(host: Host): Promise<readonly string[] | undefined> {
  const script = "pgrep -x etcd && read pid rest < /run/hansa/daemon.pid && echo $pid";
  const { status, stdout } = await host.exec(["sh", "-c", script]);
  return status === 0 ? stdout.trim().split("\n") : undefined;
}

test("kill -9 of each voter's etcd and daemon in turn: both are back, and so is the vote", async () => {
  for (const host of members) {
    const killed = (await pidsOf(host)) ?? [];
    assert.equal(killed.length, 2, `${killed}`);
    await must(host, "kill", "-9", ...killed);
    await goesOn(WRITTEN_WITHIN_MS, othersThan(host));
    await eventually(`others run on ${host.name}`, BACK_WITHIN_MS, async () => {
      const now = await pidsOf(host);
      return now?.every((pid) => !killed.includes(pid)) ? true : undefined;
    });
    await whole(BACK_WITHIN_MS);
  }
  await goesOn(WRITTEN_WITHIN_MS, members);
});

test("link 0's network is lost to all: everybody writes on over the other one", async () => {
  for (const { number } of members) await playground.cut(number, 0);
  await goesOn(WRITTEN_WITHIN_MS, members);
  await whole(WRITTEN_WITHIN_MS);
  await playground.heal();
  await goesOn(WRITTEN_WITHIN_MS, members);
});

for (const way of ["hears nobody, and is heard", "is heard by nobody, and hears"] as const) {
  test(`the leader ${way}, on both links: the others write on, and it follows when it is mended`, async () => {
    const number = await eventually("one leads", 20_000, async () => {
      return (await nodeClient(playground.host(1).apiSocket).store()).leader?.id;
    });
    const leader = playground.host(number);
    for (const { number: other } of othersThan(leader)) {
      if (way.startsWith("hears")) await playground.oneway(other, number);
      else await playground.oneway(number, other);
    }
    await goesOn(WRITTEN_WITHIN_MS * 2, othersThan(leader));
    await playground.heal();
    await whole(BACK_WITHIN_MS);
    await goesOn(WRITTEN_WITHIN_MS, members);
  });
}

test("of all that clients saw meanwhile nothing is lost, and nothing went back", async (context) => {
  await clients.end();
  const { history, refusals } = clients;
  const acknowledged = history.filter(isDone).length;
  const told = [...refusals].map(([code, count]) => `${code} ${count}`).join(", ");
  context.diagnostic(`${history.length} operations, ${acknowledged} writes acknowledged; ${told}`);
  assert.deepEqual(historyFaults(history), []);
  assert.ok(acknowledged > 50, `${acknowledged} writes`);
  for (const host of members) assert.equal(await got(host, "before"), "everything", host.name);
});
