/** The cluster of the overlay's tests on real hosts (a is node 1, b node 2), and what is asked of it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Cidr } from "../../values/cidr.ts";
import { parseIpv4 } from "../../values/ipv4.ts";
import { desiredOverlay } from "../desired-overlay.ts";
import type { OverlayObservation, OverlayReport } from "../overlay.ts";
import type { OverlayConfig, OverlayInput, OverlaySecrets } from "../overlay-config.ts";
import { LabHost } from "./lab-host.ts";

export const TRANSFER = join(import.meta.dirname, "transfer.ts");
const SUBNET: Cidr = { base: ip("10.32.0.0"), prefix: 12 };
export const UNDERLAY_MTU = 1500;
export const MTU = 1440;

export const keys = { a: keyPair(), b: keyPair() };
const pairKey = randomBytes(32).toString("base64");

export interface Change extends Partial<Pick<OverlayInput, "backend" | "softwareChecksums">> {
  readonly peerIp?: string;
  readonly ownIp?: string;
}

export function configOf(self: "a" | "b", change: Change = {}): OverlayConfig {
  const [number, other] = self === "a" ? [1, 2] : [2, 1];
  const { backend = "wireguard", softwareChecksums = false } = change;
  return desiredOverlay({
    self: {
      id: number,
      address: ip(`10.32.0.${number}`),
      listenPort: 6784,
      underlay: change.ownIp ?? `10.9.0.${number}`,
    },
    backend,
    softwareChecksums,
    subnet: SUBNET,
    bridge: "hansa0",
    linkMtu: UNDERLAY_MTU,
    peers: [
      {
        id: other,
        address: ip(`10.32.0.${other}`),
        publicKey: keys[self === "a" ? "b" : "a"].publicKey,
        endpoint: { ip: change.peerIp ?? `10.9.0.${other}`, port: 6784 },
      },
    ],
    segments: [
      { start: ip("10.40.0.0"), end: ip("10.42.0.0"), owner: 1 },
      { start: ip("10.42.0.0"), end: ip("10.44.0.0"), owner: 3 },
      { start: ip("10.44.0.0"), end: ip("10.47.0.0"), owner: 2 },
    ],
    docker: { version: "20.10.24+dfsg1", firewallBackend: "iptables" },
  });
}

export function secretsOf(self: "a" | "b"): OverlaySecrets {
  const other = self === "a" ? "b" : "a";
  return { privateKey: keys[self].privateKey, pairKeys: { [keys[other].publicKey]: pairKey } };
}

/** Starts the tunnel and waits until it is there: `set` would give up after a few seconds, which a busy machine may need. */
export async function startTunnel(host: LabHost): Promise<void> {
  await host.ask({ op: "start-tunnel" });
  await until("the tunnel", async () => (await host.run("wg", "show", "hansa-wg")).status === 0);
}

export function set(host: LabHost, config: OverlayConfig): Promise<OverlayReport> {
  return host.ask({ op: "set", config, secrets: secretsOf(host.name === "b" ? "b" : "a") });
}

function keyPair(): { publicKey: string; privateKey: string } {
  const pair = generateKeyPairSync("x25519");
  const raw = (part: string | undefined): string =>
    Buffer.from(part ?? "", "base64url").toString("base64");
  const jwk = pair.privateKey.export({ format: "jwk" });
  return { publicKey: raw(jwk.x), privateKey: raw(jwk.d) };
}

function ip(text: string): number {
  const address = parseIpv4(text);
  assert.ok(address !== undefined);
  return address;
}

/** Two hosts, a and b with 10.9.0.1 and 10.9.0.2, on a switch that is a host itself (10.9.0.254). */
export async function cabledHosts(): Promise<
  readonly [switchHost: LabHost, a: LabHost, b: LabHost]
> {
  const [switchHost, a, b] = await Promise.all([
    LabHost.start("switch"),
    LabHost.start("a"),
    LabHost.start("b"),
  ]);
  await switchHost.must("ip", "link", "add", "sw0", "type", "bridge");
  await switchHost.must("ip", "address", "add", "10.9.0.254/24", "dev", "sw0");
  await switchHost.must("ip", "link", "set", "sw0", "up");
  for (const [host, number] of [
    [a, 1],
    [b, 2],
  ] as const) {
    const veth = ["type", "veth", "peer", "name", "eth0"];
    await switchHost.must("ip", "link", "add", `p${number}`, ...veth);
    await move(switchHost, "eth0", host);
    await switchHost.must("ip", "link", "set", `p${number}`, "master", "sw0", "up");
    await host.must("ip", "address", "add", `10.9.0.${number}/24`, "dev", "eth0");
    await host.must("ip", "link", "set", "eth0", "up");
    // As on any host: what has no better route leaves by the underlay, where the switch can see it.
    await host.must("ip", "route", "add", "default", "via", "10.9.0.254");
    await host.makeBridge(`10.32.0.${number}/12`);
  }
  return [switchHost, a, b];
}

/** Moves an interface into another host; its process ids are those of the test's own namespace. */
export async function move(from: LabHost, device: string, to: LabHost): Promise<void> {
  const argv = ["-t", `${from.pid}`, "-n", "ip", "link", "set", device, "netns", `${to.pid}`];
  const moved = spawnSync("nsenter", argv, { encoding: "utf8" });
  assert.equal(moved.status, 0, moved.stderr);
}

export async function pings(
  host: LabHost,
  container: string,
  to: string,
  ...more: string[]
): Promise<void> {
  const result = await host.inside(container, "ping", "-c1", "-W3", ...more, to);
  assert.equal(result.status, 0, `${host.name}/${container} -> ${to}: ${result.stdout}`);
}

export async function failsToPing(host: LabHost, to: string, ...more: string[]): Promise<void> {
  assert.notEqual((await host.run("ping", "-c1", "-W0.7", ...more, to)).status, 0, `reached ${to}`);
}

export async function transfer(
  from: LabHost,
  container: string,
  to: LabHost,
  target: string | undefined,
  address: string,
  bytes: number,
): Promise<{ bytes: number; from: string }> {
  const receive = [process.execPath, TRANSFER, "receive", "7000"];
  const received = target === undefined ? to.run(...receive) : to.inside(target, ...receive);
  await listening(to, target, 7000);
  const sent = await from.inside(
    container,
    process.execPath,
    TRANSFER,
    "send",
    address,
    "7000",
    String(bytes),
  );
  assert.equal(sent.status, 0, sent.stderr);
  const [count, sender = ""] = (await received).stdout.trim().split(" ");
  return { bytes: Number(count), from: sender };
}

export async function listening(
  host: LabHost,
  container: string | undefined,
  port: number,
): Promise<void> {
  const ss = ["ss", "-Hltn", `sport = :${port}`];
  await until(`port ${port}`, async () => {
    const result =
      container === undefined ? await host.run(...ss) : await host.inside(container, ...ss);
    return result.stdout !== "";
  });
}

/** The host's or container's counters of ICMP messages. */
export async function received(host: LabHost, container?: string): Promise<string> {
  const argv = ["cat", "/proc/net/snmp"];
  const { stdout } = await (container === undefined
    ? host.run(...argv)
    : host.inside(container, ...argv));
  return /^Icmp: \d+.*$/m.exec(stdout)?.[0] ?? "";
}

export async function endpoint(host: LabHost): Promise<string | null | undefined> {
  const observation: OverlayObservation = await host.ask({ op: "observe" });
  return observation.peers[0]?.endpoint;
}

export async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await condition())) {
    assert.ok(performance.now() < end, `waited a minute for ${what}`);
    await delay(20);
  }
}

/** What the kernel tells of links, addresses and routes that change while `act` runs, one line each. */
export async function changesDuring(host: LabHost, act: () => Promise<void>): Promise<string[]> {
  const file = "/run/changes";
  await host.must("touch", file);
  // Whoever waits for the end of the shell waits for its outputs, which must not be held open.
  const watch = `ip monitor link address route > ${file} 2>&1 & echo $!`;
  const pid = (await host.must("sh", "-c", watch)).trim();
  const lines = async (): Promise<string[]> =>
    (await host.must("cat", file)).split("\n").filter(Boolean);
  // Seen when it listens, and again once all before it was told.
  const mark = async (word: "add" | "delete"): Promise<void> => {
    await host.run("ip", "route", word, "unreachable", "198.51.100.7");
  };
  const isMark = (line: string): boolean => line.includes("198.51.100.7");
  try {
    await until("the monitor to listen", async () => {
      await mark("add");
      await mark("delete");
      return (await lines()).some(isMark);
    });
    const before = (await lines()).length;
    await act();
    await mark("add");
    await until("the last change to be told", async () => {
      const last = (await lines()).at(-1) ?? "";
      return isMark(last) && !last.startsWith("Deleted");
    });
    await mark("delete");
    return (await lines()).slice(before).filter((line) => !isMark(line));
  } finally {
    await host.must("kill", pid);
  }
}

/** All that `set` decides, as the host's own tools print it, without counters. */
export async function snapshot(host: LabHost): Promise<string> {
  const parts = [
    await host.must("ip", "-details", "address", "show", "dev", "hansa-wg"),
    await host.must("ip", "address", "show", "dev", "hansa0"),
    await host.must("ip", "route", "show", "table", "all"),
    await ruleset(host),
    await host.must("wg", "showconf", "hansa-wg"),
    await host.must("cat", "/proc/sys/net/ipv4/conf/hansa0/proxy_arp"),
  ];
  return parts.join("\n");
}

/** The rules without counters. The tables are sorted, for nft lists one made anew last. */
export async function ruleset(host: LabHost): Promise<string> {
  const text = await host.must("nft", "-s", "list", "ruleset");
  return text
    .split(/^(?=table )/m)
    .sort()
    .join("");
}

export async function state(host: LabHost): Promise<string> {
  const parts = [
    await ruleset(host),
    // IPv6 is not ours, and its link-local addresses come a second late.
    await host.must("ip", "-4", "route", "show", "table", "all"),
    await host.must("ip", "-o", "-4", "address"),
  ];
  return parts.join("\n");
}
