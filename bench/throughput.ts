/**
 * TCP throughput from container to container, each way of ours against its peer on the same two hosts, in alternating pairs.
 *
 * VXLAN against a Docker Swarm overlay, container to container both; WireGuard, container to container, against a bare wireguard-go tunnel
 * from host to host with the same MTU, which has no bridge and no container on its way. One stream by iperf3 of the machine, run in the
 * containers' network namespaces. `node bench/throughput.ts [SECONDS] [vxlan|wireguard]` prints each pair.
 */
import { loadavg } from "node:os";
import { setTimeout } from "node:timers/promises";
import { type Host, Playground } from "../src/playground/playground.ts";
import { HANSA, must, TOKEN } from "./cluster.ts";
import { median, type Row } from "./samples.ts";

const PAIRS = 5;
const PORT = "5201";
/** Before all else that the machine does: both sides of a pair alike. */
const FIRST = ["nice", "-n", "-20"];

/** Where a program runs on its host: words before it, and the address at which it is reached. */
interface End {
  readonly host: Host;
  readonly enter: readonly string[];
  readonly address: string;
}

export interface Pairs {
  readonly ours: readonly number[];
  readonly peer: readonly number[];
}

async function gbits(from: End, to: End, seconds: number): Promise<number> {
  const serve = [...FIRST, ...to.enter, "iperf3", "-s", "-1", "-p", PORT];
  const server = to.host.exec(serve, { timeoutMs: 60_000 });
  for (;;) {
    const listens = [...to.enter, "ss", "-Hltn", `sport = :${PORT}`];
    if ((await to.host.exec(listens)).stdout !== "") break;
    await setTimeout(20);
  }
  const client = ["iperf3", "-c", to.address, "-p", PORT, "-t", `${seconds}`, "-O", "1", "-J"];
  const report = JSON.parse(await must(from.host, ...FIRST, ...from.enter, ...client));
  await server;
  return report.end.sum_received.bits_per_second / 1e9;
}

/** Ours and the peer's in turn, who is first in turn as well. */
async function alternating(
  ours: readonly [End, End],
  peer: readonly [End, End],
  seconds: number,
): Promise<Pairs> {
  const samples = { ours: [] as number[], peer: [] as number[] };
  for (let round = 0; round < PAIRS; round += 1) {
    const order = round % 2 === 0 ? (["ours", "peer"] as const) : (["peer", "ours"] as const);
    for (const side of order) {
      samples[side].push(await gbits(...(side === "ours" ? ours : peer), seconds));
    }
  }
  return samples;
}

async function launched(playground: Playground, ...options: string[]): Promise<void> {
  const launch = ["hansa", "launch", "--token", TOKEN, ...options, "host1", "host2", "--id"];
  await Promise.all(playground.hosts().map((host) => must(host, ...launch, `${host.number}`)));
  await Promise.all(playground.hosts().map((host) => must(host, "hansa", "prime")));
}

/** A container on each host, in the Docker network `network`. */
async function containers(playground: Playground, network: string): Promise<[End, End]> {
  const ends: End[] = [];
  for (const host of playground.hosts()) {
    const name = `${network}${host.number}`;
    const run = ["docker", "run", "-d", "--name", name, "--network", network, "busybox"];
    await must(host, ...run, "sleep", "100000");
    const format = `{{.State.Pid}} {{.NetworkSettings.Networks.${network}.IPAddress}}`;
    const [pid = "", address = ""] = (
      await must(host, "docker", "inspect", "-f", format, name)
    ).split(" ");
    ends.push({ host, enter: ["nsenter", "-t", pid, "-n"], address });
  }
  const [from, to] = ends as [End, End];
  await reached(from, to);
  return [from, to];
}

async function reached(from: End, to: End): Promise<void> {
  for (let round = 0; round < 100; round += 1) {
    const ping = [...from.enter, "ping", "-c1", "-W1", to.address];
    if ((await from.host.exec(ping)).status === 0) return;
    await setTimeout(100);
  }
  throw new Error(`${to.address} is not reached`);
}

/** The same two hosts as a Docker Swarm with one overlay network. */
async function swarm(playground: Playground): Promise<[End, End]> {
  const [first, second] = [playground.host(1), playground.host(2)];
  await must(first, "docker", "swarm", "init", "--advertise-addr", first.ip(0));
  const token = await must(first, "docker", "swarm", "join-token", "-q", "worker");
  await must(second, "docker", "swarm", "join", "--token", token, `${first.ip(0)}:2377`);
  await must(first, "docker", "network", "create", "-d", "overlay", "--attachable", "swarmnet");
  return containers(playground, "swarmnet");
}

/** A second wireguard-go beside ours, from host to host. Its processes end with the hosts. */
async function bareTunnel(playground: Playground, mtu: string): Promise<[End, End]> {
  const keys: string[] = [];
  for (const host of playground.hosts()) {
    await must(host, "wireguard-go", "bare");
    keys.push(await must(host, "sh", "-c", "umask 77; wg genkey | tee /run/bare.key | wg pubkey"));
  }
  const ends: End[] = [];
  for (const [index, host] of playground.hosts().entries()) {
    const other = playground.host(index === 0 ? 2 : 1);
    const peer = ["peer", keys[1 - index] ?? "", "allowed-ips", "172.31.0.0/24"];
    const own = ["wg", "set", "bare", "private-key", "/run/bare.key", "listen-port", "51820"];
    await must(host, ...own, ...peer, "endpoint", `${other.ip(0)}:51820`);
    const address = `172.31.0.${host.number}`;
    await must(host, "ip", "address", "add", `${address}/24`, "dev", "bare");
    await must(host, "ip", "link", "set", "bare", "mtu", mtu, "up");
    ends.push({ host, enter: [], address });
  }
  for (const host of playground.hosts()) {
    // Ours and the bare one: both of them are part of what is measured.
    const running = await must(host, "pgrep", "-f", "wireguard-go|^wireguard");
    await must(host, "renice", "-n", "-20", "-p", ...running.split("\n"));
  }
  const [from, to] = ends as [End, End];
  await reached(from, to);
  return [from, to];
}

export async function vxlanPairs(seconds: number): Promise<Pairs> {
  await using playground = await Playground.up({
    ...{ name: "benchvx", hosts: 2, links: 1, binary: HANSA },
  });
  await launched(playground, "--no-encryption");
  const ours = await containers(playground, "hansa");
  return await alternating(ours, await swarm(playground), seconds);
}

export async function wireguardPairs(seconds: number): Promise<Pairs> {
  await using playground = await Playground.up({
    ...{ name: "benchwg", hosts: 2, links: 1, binary: HANSA },
  });
  await launched(playground);
  const ours = await containers(playground, "hansa");
  const mtu = await must(playground.host(1), "cat", "/sys/class/net/hansa-wg/mtu");
  return await alternating(ours, await bareTunnel(playground, mtu), seconds);
}

/** The two figures; the ratio is the median of the pairs' ratios, so that what else the machine does falls on both sides. */
export async function throughputRows(seconds: number): Promise<Row[]> {
  const row = (figure: string, pairs: Pairs, peerName: string, target: number): Row => ({
    figure,
    ours: median(pairs.ours),
    peer: median(pairs.peer),
    pairs,
    peerName,
    unit: "Gbit/s",
    compare: "ratio",
    bound: "least",
    target,
    samples: PAIRS,
  });
  const [vxlan, wireguard] = [await vxlanPairs(seconds), await wireguardPairs(seconds)];
  return [
    row("container to container, VXLAN", vxlan, "swarm overlay", 1),
    row("container to container, WireGuard", wireguard, "bare wireguard-go, host to host", 0.9),
  ];
}

if (import.meta.main) {
  const [seconds = "3", only] = process.argv.slice(2);
  for (const [name, pairs] of [
    ["vxlan", vxlanPairs],
    ["wireguard", wireguardPairs],
  ] as const) {
    if (only !== undefined && only !== name) continue;
    const before = loadavg()[0];
    const { ours, peer } = await pairs(Number(seconds));
    const ratios = ours.map((value, index) => value / (peer[index] ?? Number.NaN));
    const load = { before, after: loadavg()[0] };
    process.stdout.write(`${JSON.stringify({ name, ours, peer, ratios, load })}\n`);
    process.stdout.write(`${name}: median of ratios ${median(ratios).toFixed(3)}\n`);
  }
}
