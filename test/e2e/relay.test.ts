/**
 * Hosts that do not reach each other by UDP, one way or at all: containers go on through a relay, the row says how, and when the path
 * is whole again it is taken without a hand.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import {
  type ConnectionRow,
  eventually,
  hosts,
  launchTogether,
  must,
  type Served,
  served,
  status,
} from "./cluster.ts";

/** What docs/internals/relay.md promises, and some seconds for looking. */
const RELAYED_WITHIN_MS = 8_000;
const DIRECT_WITHIN_MS = 45_000;
/** A way that failed one end while the other was still changing is left alone for 10 s. */
const AGREED_WITHIN_MS = 15_000;
const TAKEN_OVER_WITHIN_MS = 5_000;
/** The return itself loses nothing: 0.1 to 0.3 s seen on a quiet machine, 1.1 s on a busy one. */
const BACK_WAIT_MS = 5_000;

let playground: Playground;
let members: Host[];
const containers: Served[] = [];

before(async () => {
  playground = await hosts("e2erelay", 4);
  members = [1, 2, 3, 4].map((id) => playground.host(id));
  await launchTogether(members);
  for (const host of members) {
    await must(host, "hansa", "prime");
    containers.push(await served(host, `c-${host.name}`));
  }
});
after(() => playground?.down());

type Row = ConnectionRow & {
  readonly via: { readonly id: number; readonly name: string } | null;
};

/** "wireguard", "relay tcp", "relay via host2", or the state of a row that is not established. */
async function wayFrom(id: number, peer: number): Promise<string> {
  const rows = (await status(playground.host(id))).connections as readonly Row[];
  const row = rows.find((each) => each.peer?.id === peer);
  if (row?.state !== "established") return row?.state ?? "no row";
  if (row.backend !== "relay") return row.backend ?? "none";
  return row.via === null ? "relay tcp" : `relay via ${row.via.name}`;
}

/** Two hosts, and how their row should say that traffic goes. */
interface Pair {
  readonly a: number;
  readonly b: number;
  readonly way: string;
}

/** Both ends show that way. */
async function bothShow({ a, b }: Pair, way: string, deadlineMs: number): Promise<void> {
  await eventually(`${way} between host${a} and host${b}`, deadlineMs, async () => {
    const ways = [await wayFrom(a, b), await wayFrom(b, a)];
    if (ways.some((each) => each !== way)) throw new Error(ways.join(", "));
    return true;
  });
}

/** Both ends show a relay, each its own way perhaps. */
async function areRelayed({ a, b }: Pair, deadlineMs: number): Promise<void> {
  await eventually(`a relay between host${a} and host${b}`, deadlineMs, async () => {
    const ways = [await wayFrom(a, b), await wayFrom(b, a)];
    if (ways.some((way) => !way.startsWith("relay "))) throw new Error(ways.join(", "));
    return true;
  });
}

function containerOn(host: number): Served {
  const container = containers[host - 1];
  assert.ok(container);
  return container;
}

/** The container on `a` asks the one on `b` by TCP ten times a second. */
class Traffic {
  readonly pair: Pair;
  #last = fairNow();
  #longest = 0;
  #count = 0;
  readonly #process: Awaited<ReturnType<Host["spawn"]>>;

  static async start(pair: Pair): Promise<Traffic> {
    const [from, to] = [containerOn(pair.a), containerOn(pair.b)];
    const url = `http://${to.address}/`;
    const loop = `while :; do wget -qO- -T 1 ${url} >/dev/null && echo heard; usleep 50000; done`;
    const argv = ["docker", "exec", from.name, "sh", "-c", loop];
    const traffic = new Traffic(pair, await from.host.spawn(argv));
    await traffic.flows();
    return traffic;
  }

  private constructor(pair: Pair, process: Awaited<ReturnType<Host["spawn"]>>) {
    this.pair = pair;
    this.#process = process;
    process.stdout.on("data", () => {
      const now = fairNow();
      if (this.#count > 0) this.#longest = Math.max(this.#longest, now - this.#last);
      this.#last = now;
      this.#count += 1;
    });
  }

  async flows(): Promise<void> {
    const seen = this.#count;
    await eventually("traffic flows", 10_000, async () =>
      this.#count > seen + 5 ? true : undefined,
    );
  }

  /** From here on the longest wait is measured. */
  measure(): void {
    this.#longest = 0;
  }

  /** Traffic flows, and since `measure` no request waited for `limitMs`. */
  async waitedLess(limitMs: number, what: string): Promise<void> {
    await this.flows();
    const seconds = (this.#longest / 1000).toFixed(2);
    const { a, b } = this.pair;
    process.stdout.write(`host${a} to host${b}, ${what}: longest wait of a request ${seconds} s\n`);
    assert.ok(this.#longest < limitMs, `${seconds} s without traffic: ${what}`);
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }
}

/** 8 MiB by TCP, compared by their hash. */
async function transferIsWhole({ a, b }: Pair): Promise<void> {
  const [to, from] = [containerOn(a), containerOn(b)];
  const make = "head -c 8388608 /dev/urandom > /big && sha256sum < /big";
  const sent = await must(from.host, "docker", "exec", from.name, "sh", "-c", make);
  const load = `wget -qO- -T 30 http://${from.address}/big | sha256sum`;
  assert.equal(await must(to.host, "docker", "exec", to.name, "sh", "-c", load), sent);
}

/** Breaks paths, sees how they are gone round, and that they are taken again when they are whole. */
async function goesRound(
  pairs: readonly Pair[],
  cut: () => Promise<unknown>,
  meanwhile: (traffic: readonly Traffic[]) => Promise<void> = async () => undefined,
): Promise<void> {
  for (const pair of pairs) await bothShow(pair, "wireguard", DIRECT_WITHIN_MS);
  const traffic = await Promise.all(pairs.map((pair) => Traffic.start(pair)));
  try {
    for (const each of traffic) each.measure();
    await cut();
    await Promise.all(pairs.map((pair) => areRelayed(pair, RELAYED_WITHIN_MS)));
    for (const each of traffic) {
      await each.waitedLess(RELAYED_WITHIN_MS, `from the cut to ${each.pair.way}`);
    }
    await Promise.all(pairs.map((pair) => bothShow(pair, pair.way, AGREED_WITHIN_MS)));
    await meanwhile(traffic);
    // What was interrupted meanwhile is over before the return is measured.
    await Promise.all(traffic.map((each) => each.flows()));
    for (const each of traffic) each.measure();
    await playground.heal();
    await Promise.all(pairs.map((pair) => bothShow(pair, "wireguard", DIRECT_WITHIN_MS)));
    for (const each of traffic) await each.waitedLess(BACK_WAIT_MS, "back to the direct path");
  } finally {
    for (const each of traffic) each.stop();
  }
}

afterEach(() => playground?.heal());

test("UDP is blocked both ways, or one way only: relay tcp, then back", async () => {
  const only = { protocol: "udp", port: 6784 } as const;
  const both = { a: 1, b: 3, way: "relay tcp" };
  const pairs = [both, { a: 2, b: 4, way: "relay tcp" }, { a: 3, b: 4, way: "relay tcp" }];
  const cut = () =>
    Promise.all([
      playground.block(1, 3, "udp", 6784),
      playground.oneway(2, 4, only),
      playground.oneway(4, 3, only),
    ]);
  await goesRound(pairs, cut, async () => {
    await transferIsWhole(both);
    const table = await must(playground.host(1), "hansa", "status", "--connections");
    assert.match(table, /established\s+encrypted\s+relay tcp\s+3\(host3\)/);
  });
});

test("nothing passes: by the lowest member that reaches both, and by the next when its daemon dies", async () => {
  const none = { a: 1, b: 4, way: "relay via host2" };
  const oneWay = { a: 2, b: 3, way: "relay via host1" };
  const cut = () => Promise.all([playground.part([[1], [4]]), playground.oneway(2, 3)]);
  await goesRound([none, oneWay], cut, async ([traffic]) => {
    await transferIsWhole(none);
    // Its owner is host1, which host4's daemon reaches through host2 only.
    const fixed = ["--ip", "10.33.0.77", "busybox", "true"];
    await must(playground.host(4), "docker", "run", "--rm", "--network", "hansa", ...fixed);
    await bothShow(none, none.way, 1_000);
    traffic?.measure();
    const pid = await must(playground.host(2), "pgrep", "-of", "hansa daemon");
    await must(playground.host(2), "kill", "-9", pid);
    await bothShow(none, "relay via host3", TAKEN_OVER_WITHIN_MS);
    await traffic?.waitedLess(TAKEN_OVER_WITHIN_MS, "the member between dies");
    // The new daemon of host2 takes whatever way the other end has found meanwhile.
    await areRelayed(oneWay, DIRECT_WITHIN_MS);
  });
});

test("nothing passes the other way: through a member, then back", async () => {
  await goesRound([{ a: 1, b: 2, way: "relay via host3" }], () => playground.oneway(2, 1));
});
