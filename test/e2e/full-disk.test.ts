/**
 * The disk of a node with a vote is full: the others go on, every node says why, nothing is lost, and with room again the vote is back by itself.
 *
 * Somebody writes all the while, first more than the file of that etcd has room for inside. So it never has all: what it is to take up has no place, and each time that it is started again it ends of it.
 * However long that lasts, on the small disks of the others all of it is little.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { StoreView } from "../../src/api/store-schemas.ts";
import { nodeClient } from "../../src/client/node-client.ts";
import { isHansaError } from "../../src/errors.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { fillDisk, freeDisk, smallDisk } from "../history/disk-trouble.ts";
import { eventually, hansa, hosts, launchTogether, must, status } from "./cluster.ts";
import { got, put } from "./store-entries.ts";

/** Of these, so many: 3 MB, where etcd's file has some free pages. The others' disks keep each up to four times: in the database, the mirror's copy, the next copy, and its journal. */
const LARGE = "x".repeat(60_000);
const LARGE_ONES = 50;
/** After these, as long as it lasts. */
const SMALL = "x";
const BETWEEN_WRITES_MS = 400;

let playground: Playground;
let members: readonly Host[];

before(async () => {
  playground = await hosts("e2efull", 3);
  members = playground.hosts();
  await Promise.all(members.map(smallDisk));
  await launchTogether(members);
  await must(playground.host(1), "hansa", "create", "prod");
  await whole();
  await put(playground.host(1), "before", "the disk was full");
});
after(() => playground?.down());

async function store(host: Host): Promise<StoreView> {
  const { stdout, stderr } = await hansa(host, "store", "-o", "json");
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

/** All three votes answer, as every node sees it. */
async function whole(): Promise<void> {
  await eventually("three votes on every node", 120_000, async () => {
    for (const host of members) {
      const { votes, quorate, stale } = await store(host);
      const isWhole = quorate && !stale && votes.expected === 3 && votes.answering === 3;
      if (!isWhole) throw new Error(`${host.name}: ${JSON.stringify(votes)}`);
    }
    return true;
  });
}

/** Writes one entry after the other until it is ended, and knows which were acknowledged. */
class Writer {
  readonly acknowledged: string[] = [];
  readonly #refused: string[] = [];
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;

  /** Their keys begin with `name`, and each is asked of `host`. */
  constructor(host: Host, name: string) {
    this.#running = this.#run(host, name);
  }

  /** So many more are acknowledged from now on. */
  async goesOn(more: number, withinMs: number): Promise<void> {
    const wanted = this.acknowledged.length + more;
    await eventually(`${more} more writes`, withinMs, async () => {
      const { length } = this.acknowledged;
      if (length < wanted) throw new Error(`${length}; refused: ${this.#refused.slice(-3)}`);
      return true;
    });
  }

  async end(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #run(host: Host, name: string): Promise<void> {
    for (let count = 1; !this.#ending.signal.aborted; count++) {
      const key = `${name}/${count}`;
      const value = this.acknowledged.length < LARGE_ONES ? LARGE : SMALL;
      try {
        const { written } = await nodeClient(host.apiSocket).configPut({ key, value });
        if (written) this.acknowledged.push(key);
      } catch (error) {
        // Where the leader's etcd ends another one is elected first.
        if (!isHansaError(error)) throw error;
        this.#refused.push(`${error.code} ${error.message}`);
      }
      await pause(BETWEEN_WRITES_MS);
    }
  }
}

async function codesOf(host: Host): Promise<readonly string[]> {
  return (await status(host)).warnings.map(({ code }) => code);
}

/** Every node shows that vote as silent, and says why and what to do. */
async function allSayWhy(id: number): Promise<void> {
  for (const each of members) {
    await eventually(`${each.name} says why`, 60_000, async () => {
      const seen = await store(each);
      const vote = seen.voters.find((voter) => voter.id === id);
      assert.deepEqual(
        [seen.quorate, vote?.state, vote?.problem?.code],
        [true, "silent", "STORE_DISK_FULL"],
      );
      const { stdout } = await hansa(each, "store");
      assert.match(
        stdout,
        new RegExp(`host${id} \\(${id}\\): STORE_DISK_FULL: the disk of .* is full`),
      );
      assert.match(stdout, /^ +make room on that disk/m);
      return true;
    });
  }
}

for (const whose of ["a voter that follows", "the leader"] as const) {
  test(`the disk of ${whose} is full: the others go on, every node says why, and with room it is back by itself`, async () => {
    const leader = await eventually("one leads", 30_000, async () => {
      return (await store(playground.host(1))).leader?.id;
    });
    const id = whose === "the leader" ? leader : (leader % 3) + 1;
    const host = playground.host(id);
    const [other] = members.filter(({ number }) => number !== id) as [Host, Host];
    const daemon = await must(host, "cut", "-d", " ", "-f1", "/run/hansa/daemon.pid");
    await fillDisk(host);
    const writer = new Writer(other, `big/${id}`);
    try {
      await allSayWhy(id);
      await eventually("that node's status warns of both", 60_000, async () => {
        const codes = await codesOf(host);
        const isTold = ["STORE_DISK_FULL", "STATE_UNWRITABLE"].every((code) =>
          codes.includes(code),
        );
        if (!isTold) throw new Error(`${codes}`);
        return true;
      });
      const doctor = await hansa(host, "doctor");
      assert.match(doctor.stdout, /STORE_DISK_FULL/);
      assert.match(doctor.stdout, /STATE_UNWRITABLE/);
      // Writes go on, on that node by way of another vote.
      await writer.goesOn(3, 30_000);
      await put(host, `from/${id}`, "a full disk");
      assert.equal(await got(other, `from/${id}`), "a full disk");
      await freeDisk(host);
      await whole();
    } finally {
      await writer.end();
      await freeDisk(host);
    }
    await eventually("its copy is written again, and nothing is full", 60_000, async () => {
      const codes = await codesOf(host);
      const isOver = !["STORE_DISK_FULL", "STATE_UNWRITABLE"].some((code) => codes.includes(code));
      if (!isOver) throw new Error(`${codes}`);
      return true;
    });
    assert.equal(await got(host, "before"), "the disk was full");
    const listed = await must(host, "hansa", "config", "ls", "--consistent");
    const keys = new Set(listed.split(/\s+/));
    assert.deepEqual(
      writer.acknowledged.filter((key) => !keys.has(key)),
      [],
      "acknowledged and lost",
    );
    // Of all that is ours only etcd was started again, and nothing was put away.
    assert.equal(await must(host, "cut", "-d", " ", "-f1", "/run/hansa/daemon.pid"), daemon);
    assert.equal((await host.exec(["ls", "/var/lib/hansa/backups"])).stdout, "");
  });
}
