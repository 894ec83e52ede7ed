/**
 * A cluster of playground hosts for the end-to-end tests, driven only through dist/hansa and docker as a user would.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Host, Playground } from "../../src/playground/playground.ts";
import { fairNow, slowness } from "../fair-time.ts";

/** The executable under test; HANSA_BINARY names another than the one built here. */
export const HANSA = process.env["HANSA_BINARY"] ?? join(import.meta.dirname, "../../dist/hansa");
export const TOKEN = "my-cluster-password";
export const NETWORK = ["--network", "hansa"] as const;

export interface Answer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ConnectionRow {
  readonly address: string;
  readonly state: "established" | "pending" | "connecting" | "retrying" | "failed";
  readonly encrypted: boolean;
  readonly backend?: string;
  readonly peer?: { readonly id: number; readonly name: string };
  readonly error?: string;
  readonly retryAt?: string | null;
  readonly rttMs?: number;
  readonly mtu?: number;
}

export interface StatusDocument {
  readonly cluster: { readonly name: string };
  readonly node: {
    readonly id: number;
    readonly name: string;
    readonly engineId: string;
    readonly address: string;
  };
  readonly targets: readonly string[];
  readonly peers: readonly {
    readonly id: number;
    readonly name: string;
    readonly address: string;
    readonly state: string;
  }[];
  readonly connections: readonly ConnectionRow[];
  readonly ipam: {
    readonly subnet: string;
    readonly range: string;
    readonly ready: boolean;
    readonly entries: readonly {
      readonly id: number;
      readonly addresses: number;
      readonly percent: number;
      readonly active?: number;
      readonly reachable: boolean;
    }[];
  };
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

/** Brings up `count` hosts under a playground name of its own; dispose it with `await using`. */
export async function hosts(name: string, count: number, links = 1): Promise<Playground> {
  assert.ok(existsSync(HANSA), "dist/hansa is missing: npm run build");
  return Playground.up({ name, hosts: count, links, binary: HANSA });
}

/** Runs `hansa …` on a host. */
export function hansa(host: Host, ...args: string[]): Promise<Answer> {
  return host.exec(["hansa", ...args], { timeoutMs: 120_000 });
}

/** The same, and fails the test with the command's own words when it did not exit 0. */
export async function must(host: Host, ...argv: string[]): Promise<string> {
  const answer = await host.exec(argv, { timeoutMs: 300_000 });
  assert.equal(answer.status, 0, `${argv.join(" ")}: ${answer.stdout}${answer.stderr}`);
  return answer.stdout.trim();
}

export async function launch(host: Host, id: number, ...targets: string[]): Promise<void> {
  const printed = await must(
    host,
    "hansa",
    "launch",
    "--id",
    `${id}`,
    "--token",
    TOKEN,
    ...targets,
  );
  assert.equal(printed, `[${id}] Node launched`);
}

/** Launches all of them side by side, each with its number as id and the first two hosts as targets, and waits for the full mesh. */
export async function launchTogether(members: readonly Host[]): Promise<void> {
  await Promise.all(members.map((host) => launch(host, host.number, "host1", "host2")));
  await fullMesh(members, 15_000);
}

export async function status(host: Host): Promise<StatusDocument> {
  return JSON.parse(await must(host, "hansa", "status", "-o", "json"));
}

/**
 * Polls `probe` until it returns a value, for at most `deadlineMs` of a machine at rest (test/fair-time.ts); fails with the last reason
 * otherwise.
 */
export async function eventually<T>(
  what: string,
  deadlineMs: number,
  probe: () => Promise<T | undefined>,
): Promise<T> {
  const began = performance.now();
  const end = fairNow() + deadlineMs;
  let last: unknown = "no answer";
  for (;;) {
    const askedMs = performance.now();
    try {
      const value = await probe();
      if (value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    if (fairNow() > end) {
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      const pace = `${seconds} s by the clock, the machine ${slowness().toFixed(1)} times slower than at rest`;
      const why = last instanceof Error ? last.message : last;
      throw new Error(`${what}: not within ${deadlineMs} ms (${pace}): ${why}`);
    }
    const nowMs = performance.now();
    const pauseMs = pauseAfter(nowMs - askedMs, nowMs - began);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/**
 * Asking must not be what makes the machine slow: commands that ask were a third of all that a test takes. So a long wait asks no more
 * than a quarter of the time, and waits at most half a second more than it must.
 */
function pauseAfter(askingMs: number, waitedMs: number): number {
  const times = waitedMs < 2_000 ? 1 : 3;
  return Math.min(500, Math.max(100, times * askingMs));
}

/** Waits until each of `members` shows an established connection to every other. */
export async function fullMesh(members: readonly Host[], deadlineMs: number): Promise<void> {
  await eventually(`full mesh of ${members.length}`, deadlineMs, async () => {
    for (const host of members) {
      const { connections } = await status(host);
      const established = connections.filter((row) => row.state === "established").length;
      if (established !== members.length - 1)
        throw new Error(`${established} on ${host.name}: ${JSON.stringify(connections)}`);
    }
    return true;
  });
}

/** Starts a container that serves its own name on port 80 and echoes nothing else; returns its address. */
export async function serve(host: Host, name: string, ...options: string[]): Promise<string> {
  const script = `echo ${name} > /index.html; exec httpd -f -h /`;
  await must(
    host,
    "docker",
    "run",
    "-d",
    "--name",
    name,
    ...NETWORK,
    ...options,
    "busybox",
    "sh",
    "-c",
    script,
  );
  return addressOf(host, name);
}

export function addressOf(host: Host, container: string): Promise<string> {
  return must(
    host,
    "docker",
    "inspect",
    "-f",
    "{{.NetworkSettings.Networks.hansa.IPAddress}}",
    container,
  );
}

/** Asks over TCP from inside container `from` for the name of the one at `address`. */
export async function hears(
  host: Host,
  from: string,
  address: string,
  expected: string,
): Promise<void> {
  await eventually(`${from} hears ${expected} at ${address}`, 15_000, async () => {
    const answer = await host.exec([
      "docker",
      "exec",
      from,
      "wget",
      "-qO-",
      "-T",
      "2",
      `http://${address}/`,
    ]);
    return answer.stdout.trim() === expected ? true : undefined;
  });
}

export interface Served {
  readonly host: Host;
  readonly name: string;
  readonly address: string;
}

/** Starts a container that serves its own name. */
export async function served(host: Host, name: string, ...options: string[]): Promise<Served> {
  return { host, name, address: await serve(host, name, ...options) };
}

/** Every container reaches every other by TCP, and no two have one address. */
export async function allReachAll(containers: readonly Served[]): Promise<void> {
  assert.equal(
    new Set(containers.map(({ address }) => address)).size,
    containers.length,
    "an address twice",
  );
  for (const from of containers) {
    await Promise.all(
      containers
        .filter((to) => to !== from)
        .map((to) => hears(from.host, from.name, to.address, to.name)),
    );
  }
}
