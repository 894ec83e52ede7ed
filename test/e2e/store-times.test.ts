/**
 * The times of the store's votes follow the way between them and the slowest of their disks: longer on a long way or with a slow disk, without elections again and again, and shorter when that is
 * over.
 */
import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import type { StoreView } from "../../src/api/store-schemas.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import { quickDisk, slowDisk } from "../history/disk-trouble.ts";
import { eventually, fullMesh, hansa, hosts, must, TOKEN } from "./cluster.ts";
import { got, put } from "./store-entries.ts";

/** So many times as fast as for users: longer times after 6 s, shorter after 30, nothing for 15 s after a change. */
const PACE = { HANSA_TEST_STORE_PACE: "20" };
/** Each way; the round trip is twice that. */
const DELAY_MS = 150;
/** A bad one: etcd on it answers nothing for twice as long at a time. A disk may take two heartbeats; an election lasts ten. */
const SLOW_WRITE_MS = 1600;

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

/** One write after the other on a host, and what became of them. */
class Writing {
  #acknowledged = 0;
  readonly #failed: string[] = [];
  #isOver = false;
  readonly #running: Promise<void>;

  constructor(host: Host) {
    this.#running = this.#run(host);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  /** Some of them were acknowledged. */
  tell(context: TestContext): void {
    const failed = `${this.#failed.length} failed: ${this.#failed[0]}`;
    context.diagnostic(`${this.#acknowledged} writes acknowledged, ${failed}`);
    assert.ok(this.#acknowledged > 0, this.#failed.join("\n"));
  }

  async #run(host: Host): Promise<void> {
    while (!this.#isOver) {
      const began = fairNow();
      const answer = await hansa(host, "config", "put", "count", `${this.#acknowledged}`);
      if (answer.status === 0) this.#acknowledged++;
      else this.#failed.push(`${answer.stderr.trim()} after ${Math.round(fairNow() - began)} ms`);
    }
  }
}

test("a long way between the votes makes their times longer, on one after the other, and all is written meanwhile", async (context) => {
  await delayAll(DELAY_MS);
  const writing = new Writing(playground.host(1));
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
    await writing.end();
  }
  writing.tell(context);
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

test("a disk that is slow to keep what is written makes the times longer too, and hansa store says how slow it is, also on its host", async (context) => {
  const { times: before, leader } = await settled(({ leader }) => leader !== null);
  const slow = playground.host(leader?.id ?? 1);
  const [other] = members.filter(({ number }) => number !== slow.number) as [Host, Host];
  await slowDisk(slow, SLOW_WRITE_MS);
  const writing = new Writing(other);
  try {
    // Its part of the store may be late at any moment: who asks the whole store for more than the times waits in vain.
    const { times } = await told(
      ({ times: { heartbeatMs, fsyncMs } }) =>
        heartbeatMs > before.heartbeatMs && (fsyncMs ?? 0) > SLOW_WRITE_MS / 2,
    );
    await eventually("its own copy follows, by way of another vote", 120_000, async () => {
      const { copy } = await storeOf(slow);
      return copy !== null && copy.ageMs < 30_000 ? true : undefined;
    });
    await eventually("it is said what is slow there", 120_000, async () => {
      const text = await must(other, "hansa", "store");
      assert.match(
        text,
        /^Times: +heartbeat \d+00 ms, election \d+ s: .*, \d{3,} ms to keep a write$/m,
      );
      return text.includes(`${slow.name} (${slow.number}): STORE_VOTER_SLOW`) ? true : undefined;
    });
    await eventually("the times reach its etcd too", 180_000, async () => {
      const all = await configured();
      return all.every((ms) => ms > before.heartbeatMs) ? true : undefined;
    });
    await quickDisk(slow);
    await settled(({ times: { heartbeatMs } }) => heartbeatMs < times.heartbeatMs, 180_000);
  } finally {
    await writing.end();
    await quickDisk(slow);
  }
  writing.tell(context);
});

async function storeOf(host: Host): Promise<StoreView> {
  return JSON.parse(await must(host, "hansa", "store", "-o", "json"));
}

/** Every host tells of the store so, whoever answers. */
function told(isSo: (store: StoreView) => boolean): Promise<StoreView> {
  return eventually("the store is told of so everywhere", 180_000, async () => {
    let last: StoreView | undefined;
    for (const host of members) {
      last = await storeOf(host);
      if (!isSo(last)) throw new Error(`${host.name}: ${JSON.stringify(last, null, 2)}`);
    }
    return last;
  });
}
