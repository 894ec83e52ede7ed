/**
 * Four votes from nothing: `hansa create` and three `hansa add`s side by side, against four bare etcd members of which three join as learners, on the same hosts.
 *
 * The bare ones have ours' settings, certificates (made before the clock starts) and disks, but the hosts' own addresses: no tunnel, no Docker, no node.
 * `node bench/votes.ts` prints the rows. Runs alternate ours and theirs.
 */
import { setTimeout as pause } from "node:timers/promises";
import { nodeClient } from "../src/client/node-client.ts";
import { type Host, Playground } from "../src/playground/playground.ts";
import { etcdConfig, peerUrl } from "../src/store/etcd/etcd-config.ts";
import { LEAST_TIMING } from "../src/store/store-times.ts";
import { storeTls } from "../src/store/store-tls.ts";
import { HANSA, HOSTS, must, seconds } from "./cluster.ts";
import { median, type Row, table } from "./samples.ts";

const ROUNDS = 2;
const PORTS = { client: 12_379, peer: 19_212 };
const PATIENCE_MS = 300_000;
const AGAIN_MS = 50;

interface Formed {
  readonly created: number;
  /** Until the last `add` ended. */
  readonly added: number;
  readonly voting: number;
}

/** The rows of four votes in one store. */
export async function voteRows(): Promise<Row[]> {
  const ours: Formed[] = [];
  const peer: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await using playground = await Playground.up({
      ...{ name: "benchv", hosts: HOSTS.length, links: 1, binary: HANSA },
    });
    peer.push(await formBare(playground));
    ours.push(await formOurs(playground));
  }
  const part = (figure: string, of: (formed: Formed) => number): Row => ({
    ...{ figure, ours: median(ours.map(of)), peer: Number.NaN, peerName: "-", unit: "s" },
    ...{ compare: "absolute", target: undefined, samples: ours.length },
  });
  return [
    {
      figure: "create and 3 adds side by side, until there are 4 votes",
      ours: median(ours.map(({ voting }) => voting)),
      ...{ peer: median(peer), peerName: "4 bare etcds, 3 joined as learners", unit: "s" },
      pairs: { ours: ours.map(({ voting }) => voting), peer },
      ...{ compare: "ratio", target: 1.5, samples: ours.length },
    },
    part("of it, create", ({ created }) => created),
    part("of it, from there until the last add ended", ({ created, added }) => added - created),
    part("of it, from there until the last vote", ({ added, voting }) => voting - added),
  ];
}

async function formOurs(playground: Playground): Promise<Formed> {
  const [first, ...others] = HOSTS.map((id) => playground.host(id));
  if (first === undefined) throw new Error("no host");
  const created = await seconds(() => must(first, "hansa", "create", "bench"));
  const token = await must(first, "hansa", "token", "show");
  for (const host of others) {
    await must(host, "sh", "-c", 'umask 077; printf %s "$1" > /root/token', "sh", token);
  }
  let added = 0;
  const voting = await seconds(async () => {
    added = await seconds(() =>
      Promise.all(
        others.map((host) => must(host, "hansa", "add", first.ip(), "--token-file", "/root/token")),
      ),
    );
    await again("four votes", async () => {
      const { votes } = await nodeClient(first.apiSocket).store();
      return votes.answering === HOSTS.length ? votes : undefined;
    });
  });
  return { created, added: created + added, voting: created + voting };
}

async function formBare(playground: Playground): Promise<number> {
  const hosts = HOSTS.map((id) => playground.host(id));
  const [first, ...others] = hosts;
  if (first === undefined) throw new Error("no host");
  await Promise.all(hosts.map(certify));
  const took = await seconds(async () => {
    await begin(first, [{ name: "bare1", peerUrl: urlOf(first) }], "new");
    await again("a leader", () => etcdctl(first, "endpoint", "health"));
    await Promise.all(others.map((host) => joinBare(host, first)));
  });
  for (const host of hosts) await must(host, "sh", "-c", "kill -9 $(cat /run/bare/pid)");
  return took;
}

/** One is a learner at a time: the others ask again. */
async function joinBare(host: Host, first: Host): Promise<void> {
  const line = ["member", "add", `bare${host.number}`, "--learner", `--peer-urls=${urlOf(host)}`];
  const said = await again("a place", () => etcdctl(first, ...line));
  const id = /^Member +([0-9a-f]+) added/.exec(said)?.[1] ?? "";
  const cluster = /^ETCD_INITIAL_CLUSTER="(.*)"$/m.exec(said)?.[1] ?? "";
  const members = cluster.split(",").map((each) => {
    const [name = "", url = ""] = each.split("=");
    return { name, peerUrl: url };
  });
  await begin(host, members, "existing");
  await again("a vote", () => etcdctl(first, "member", "promote", id));
}

async function certify(host: Host): Promise<void> {
  const { key, cert, ca } = await storeTls([new Uint8Array(32).fill(7)], [host.ip()]);
  await must(host, "mkdir", "-p", "/run/bare");
  await write(host, "leaf.pem", key + cert);
  await write(host, "ca.pem", ca.join(""));
}

async function begin(
  host: Host,
  members: readonly { readonly name: string; readonly peerUrl: string }[],
  begins: "new" | "existing",
): Promise<void> {
  const text = etcdConfig({
    ...{ name: `bare${host.number}`, dataDir: "/var/lib/hansa-bare", clientPort: PORTS.client },
    ...{ peer: { ip: host.ip(), port: PORTS.peer }, members, begins, token: "bare" },
    tlsFiles: { leaf: "/run/bare/leaf.pem", ca: "/run/bare/ca.pem" },
    timing: LEAST_TIMING,
  });
  await write(host, "etcd.json", text);
  const script =
    "etcd --config-file /run/bare/etcd.json >/run/bare/log 2>&1 & echo $! >/run/bare/pid; exec >&- 2>&-";
  await must(host, "sh", "-c", script);
}

async function write(host: Host, name: string, text: string): Promise<void> {
  await must(host, "sh", "-c", 'umask 077; printf %s "$1" > "$2"', "sh", text, `/run/bare/${name}`);
}

function urlOf(host: Host): string {
  return peerUrl({ ip: host.ip(), port: PORTS.peer });
}

/** What it printed; undefined where it was refused. */
async function etcdctl(host: Host, ...words: readonly string[]): Promise<string | undefined> {
  const files = ["--cacert", "/run/bare/ca.pem", "--cert", "/run/bare/leaf.pem"];
  const place = ["--endpoints", `https://127.0.0.1:${PORTS.client}`, "--key", "/run/bare/leaf.pem"];
  const argv = ["etcdctl", ...place, ...files, ...words];
  const { status, stdout } = await host.exec(argv, { env: { ETCDCTL_API: "3" } });
  return status === 0 ? stdout : undefined;
}

/** Asks until there is an answer. */
async function again<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > endMs) throw new Error(`there is never ${what}`);
    await pause(AGAIN_MS);
  }
}

if (import.meta.main) process.stdout.write(`${table(await voteRows())}\n`);
