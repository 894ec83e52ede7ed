/**
 * One TCP segment from a host of the overlay's tests to another, changed on its way out as a test wants it, and the proof that it left and whether it
 * arrived.
 *
 * Invariant: "did not arrive" is only said of a segment that left its sender's device, while a ping after it passed.
 */
import assert from "node:assert/strict";
import type { LabHost } from "./lab-host.ts";
import { pings, until } from "./two-hosts.ts";

/** The port to which segments go; nothing listens there. */
const PORT = 9;

export interface Segment {
  /** "ACK" looks as if it belonged to a connection. */
  readonly kind: "SYN" | "ACK";
  readonly source: string;
  readonly to: string;
  /** Statements of nftables that change it, for example `ip ttl set 1`. */
  readonly change?: string;
}

/** Runs `run` while the host, or a container of it, has the nftables table `table` with the body `rules`; removes it also on failure. */
export async function withTable<T>(
  host: LabHost,
  container: string | undefined,
  [table, rules]: readonly [table: string, rules: string],
  run: () => Promise<T>,
): Promise<T> {
  const inside = container === undefined ? [] : ["ip", "netns", "exec", container];
  await host.must(...inside, "nft", `table ${table} { ${rules}; }`);
  try {
    return await run();
  } finally {
    await host.must(...inside, "nft", `delete table ${table}`);
  }
}

/** How many packets the first counter of the table has seen. */
async function counted(
  host: LabHost,
  container: string | undefined,
  table: string,
): Promise<number> {
  const inside = container === undefined ? [] : ["ip", "netns", "exec", container];
  const text = await host.must(...inside, "nft", "list", "table", ...table.split(" "));
  return Number(/counter (?:name \S+ )?packets (\d+)/.exec(text)?.[1] ?? Number.NaN);
}

/**
 * Sends the segment by failing attempts to connect, from the container or the host itself, until one left by `device`. More than one may leave: an attempt
 * that was slow is repeated, with twice the time.
 */
export async function sendSegment(
  host: LabHost,
  container: string | undefined,
  { kind, source, to, change = "" }: Segment,
  device = "eth0",
): Promise<void> {
  const inside = container === undefined ? [] : ["ip", "netns", "exec", container];
  const flags = kind === "ACK" ? "tcp flags set ack" : "";
  const its = `ip saddr ${source} ip daddr ${to} tcp dport ${PORT}`;
  const out = `chain out { type filter hook output priority 0; ${its} ${flags} ${change} counter; }`;
  const leaves = `chain leaves { type filter hook egress device "${device}" priority 0; ip saddr ${source} ip daddr ${to} ip protocol tcp counter; }`;
  const way = [`${to}/32`, "dev", device, "src", source];
  // A container's way is by its host, whatever the source; a host has its own routes.
  if (container !== undefined) await host.must(...inside, "ip", "route", "add", ...way);
  let seconds = 0.3;
  try {
    await withTable(host, container, ["ip change", out], () =>
      withTable(host, container, ["netdev leaves", leaves], () =>
        until(`the segment to leave ${host.name}`, async () => {
          // Where its input is a socket bash would read the machine's own start-up files, which take longer than that.
          const bash = ["bash", "--norc", "-c", `: >/dev/tcp/${to}/${PORT}`];
          await host.run(...inside, "timeout", `${seconds}`, ...bash);
          seconds *= 2;
          return (await counted(host, container, "netdev leaves")) > 0;
        }),
      ),
    );
  } finally {
    if (container !== undefined) await host.must(...inside, "ip", "route", "delete", ...way);
  }
}

/** Asserts that the segment, from `a`'s container c1, arrives in `b`'s c1, or that it does not. */
export async function assertArrival(
  [a, b]: readonly [LabHost, LabHost],
  segment: Segment,
  arrives: boolean,
): Promise<void> {
  const what = `${segment.kind} from ${segment.source}`;
  const before = await segments(b, "c1");
  await sendSegment(a, "c1", segment);
  if (arrives) {
    await until(`${what} to arrive`, async () => (await segments(b, "c1")) > before);
  } else {
    await pings(a, "c1", segment.to);
    assert.equal(await segments(b, "c1"), before, `${what} arrived`);
  }
}

/** TCP segments that the container received. */
async function segments(host: LabHost, container: string): Promise<number> {
  const { stdout } = await host.inside(container, "cat", "/proc/net/snmp");
  const count = Number(/^Tcp: (?:-?\d+ ){9}(\d+)/m.exec(stdout)?.[1]);
  assert.ok(Number.isInteger(count), stdout);
  return count;
}

/** Asserts that the sender, `host`'s container c1, is told where the segment had no hop left, as a traceroute by TCP needs. */
export async function assertTimeExceeded(host: LabHost, segment: Segment): Promise<void> {
  const before = await timesExceeded(host, "c1");
  // Repeated, because a kernel sends only so many such messages a second.
  await until(`time exceeded by ${segment.change}`, async () => {
    await sendSegment(host, "c1", segment);
    return (await timesExceeded(host, "c1")) > before;
  });
}

/** Asserts that the segment goes the ordinary way of `at`, past its routing, when `send` sends it. */
export async function assertOrdinaryWay(
  at: LabHost,
  { source, to }: Segment,
  send: () => Promise<void>,
): Promise<void> {
  // Before fragments are put together.
  const hook = "type filter hook prerouting priority -450;";
  const rules = `chain c { ${hook} ip saddr ${source} ip daddr ${to} ip protocol tcp counter; }`;
  await withTable(at, undefined, ["ip seen", rules], async () => {
    await send();
    const seen = async () => (await counted(at, undefined, "ip seen")) > 0;
    await until(`the segment on ${at.name}'s ordinary way`, seen);
  });
}

/** Asserts that a first and a later fragment go the ordinary way on both hosts: from a's container, and from a itself out of b's tunnel device. */
export async function assertFragmentsOrdinary(
  a: LabHost,
  b: LabHost,
  tunnel: string,
): Promise<void> {
  const to = "10.44.0.5";
  for (const change of ["ip frag-off set 8192", "ip frag-off set 1"]) {
    const inside = { kind: "ACK", source: "10.40.0.5", to, change } as const;
    await withoutBridgeFilter(a, () =>
      assertOrdinaryWay(a, inside, () => sendSegment(a, "c1", inside)),
    );
    const own = { kind: "ACK", source: "10.32.0.1", to, change } as const;
    await assertOrdinaryWay(b, own, () => sendSegment(a, undefined, own, tunnel));
  }
}

/** br_netfilter has IPv4's hooks see what the bridge takes in, and keeps a fragment there until it has all, before our hook could have it. */
async function withoutBridgeFilter(host: LabHost, run: () => Promise<void>): Promise<void> {
  const file = "/proc/sys/net/bridge/bridge-nf-call-iptables";
  if ((await host.run("test", "-e", file)).status !== 0) return run();
  const set = (value: string) => host.must("sh", "-c", `echo ${value} > ${file}`);
  const before = (await host.must("cat", file)).trim();
  await set("0");
  try {
    await run();
  } finally {
    await set(before);
  }
}

/** ICMP's "time exceeded" messages that the container received. */
async function timesExceeded(host: LabHost, container: string): Promise<number> {
  const { stdout } = await host.inside(container, "cat", "/proc/net/snmp");
  const [names = "", values = ""] = stdout.split("\n").filter((line) => line.startsWith("Icmp:"));
  const count = Number(values.split(" ")[names.split(" ").indexOf("InTimeExcds")]);
  assert.ok(Number.isInteger(count), stdout);
  return count;
}
