/** The times of the store's votes follow the way between them: longer on a long way, without elections again and again, and shorter when it is short again. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { StoreView } from "../../src/api/store-schemas.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import { eventually, fullMesh, hansa, hosts, must, TOKEN } from "./cluster.ts";

/** So many times as fast as for users: longer times after 6 s, shorter after 30, nothing for 15 s after a change. */
const PACE = { HANSA_TEST_STORE_PACE: "20" };
/** Each way; the round trip is twice that. */
const DELAY_MS = 150;

import { got, put } from "./store-entries.ts";

let playground: Playground;
let members: readonly Host[];

before(async () => {
  playground = await hosts("e2etime", 3);
  members = playground.hosts();
  for (const host of members) {
    const words = ["hansa", "launch", "--id", `${host.number}`, "--token", TOKEN, "host1"];
    const { status, stderr } = await host.exec(words, { env: PACE });
    assert.equal(status, 0, stderr);
  }
  await fullMesh(members, 20_000);
  await must(playground.host(1), "hansa", "create", "prod");
  await settled((store) => store.votes.expected === 3);
});
after(() => playground?.down());

/** Every host sees the store so, all votes answering. */
function settled(isSo: (store: StoreView) => boolean, deadlineMs = 60_000): Promise<StoreView> {
  return eventually("the store is so everywhere", deadlineMs, async () => {
    let last: StoreView | undefined;
    for (const host of members) {
      const { stdout, stderr } = await hansa(host, "store", "-o", "json");
      last = JSON.parse(stdout || "null") ?? undefined;
      const isWhole = last?.quorate && !last.stale && last.votes.answering === last.votes.expected;
      if (!last || !isWhole || !isSo(last)) throw new Error(`${host.name}: ${stdout}${stderr}`);
    }
    return last;
  });
}

/** What each host's etcd was told, from its configuration. */
async function configured(): Promise<number[]> {
  const read =
    "grep -o 'heartbeat-interval.*[0-9]' /var/lib/hansa/store/etcd.json | grep -o '[0-9]*'";
  return Promise.all(members.map(async (host) => Number(await must(host, "sh", "-c", read))));
}

/** `etcd` of each host, by when it was started. */
function started(): Promise<string[]> {
  const read = "ps -o lstart= -p $(pgrep -x etcd)";
  return Promise.all(members.map((host) => must(host, "sh", "-c", read)));
}

async function delayAll(ms: number): Promise<void> {
  for (const [a, b] of [
    [1, 2],
    [1, 3],
    [2, 3],
  ] as const) {
    await playground.delay(a, b, ms);
  }
}

test("a long way between the votes makes their times longer, on one after the other, and all is written meanwhile", async (context) => {
  await delayAll(DELAY_MS);
  let acknowledged = 0;
  let isOver = false;
  const failed: string[] = [];
  const writing = (async () => {
    while (!isOver) {
      const began = fairNow();
      const answer = await hansa(playground.host(1), "config", "put", "count", `${acknowledged}`);
      if (answer.status === 0) acknowledged++;
      else failed.push(`${answer.stderr.trim()} after ${Math.round(fairNow() - began)} ms`);
    }
  })();
  const isLong = ({ times }: StoreView): boolean => times.heartbeatMs >= 400;
  try {
    const { times, voters } = await settled(isLong, 120_000);
    assert.ok((times.roundTripMs ?? 0) > 200, `${times.roundTripMs} ms`);
    assert.ok(times.electionMs === 10 * times.heartbeatMs, JSON.stringify(times));
    assert.equal(voters.length, 3);
    await eventually("each etcd has them", 120_000, async () => {
      const told = await configured();
      return told.every((ms) => ms >= 400) ? true : undefined;
    });
  } finally {
    isOver = true;
    await writing;
  }
  context.diagnostic(`${acknowledged} writes acknowledged, ${failed.length} failed: ${failed[0]}`);
  assert.ok(acknowledged > 0, failed.join("\n"));
});

test("with them nobody elects again, and nothing is started again", async () => {
  const before = await settled(({ times }) => times.heartbeatMs >= 400);
  const processes = await started();
  for (let count = 0; count < 8; count++) {
    const host = members[count % 3] as Host;
    await put(host, "calm", `${count}`);
  }
  const now = await settled(() => true);
  // A busy machine may ask for still longer ones, which starts all anew once more.
  if (now.times.heartbeatMs !== before.times.heartbeatMs) return;
  assert.equal(now.term, before.term);
  assert.equal(now.leader?.id, before.leader?.id);
  assert.deepEqual(await started(), processes);
});

test("hansa store says the times and what they were found from", async () => {
  const text = await must(playground.host(2), "hansa", "store");
  assert.match(
    text,
    /^Times: +heartbeat \d+00 ms, election \d+ s: \d+ ms between voters(, \d+ ms to keep a write)?$/m,
  );
});

test("when the way is short again the times come back", async () => {
  const { times } = await settled(() => true);
  await delayAll(0);
  const now = await settled(
    ({ times: { heartbeatMs } }) => heartbeatMs < times.heartbeatMs,
    180_000,
  );
  await eventually("each etcd has them", 120_000, async () => {
    const told = await configured();
    return told.every((ms) => ms < times.heartbeatMs) ? true : undefined;
  });
  assert.ok((now.times.roundTripMs ?? 1000) < DELAY_MS * 2, JSON.stringify(now.times));
  assert.equal(await got(playground.host(3), "calm"), "7");
});
