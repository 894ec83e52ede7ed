/**
 * What must be true of a cluster that is whole and left alone, each with the time that it may take to come true.
 *
 * A check looks once and returns what is wrong, one sentence each; the caller looks again until nothing is, or the time is over.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Status } from "../../src/api/status-schema.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { PROCESSES } from "./event.ts";
import { containersOf, type DockerContainer, logOf, processOf, statusOf } from "./outside-view.ts";

export interface CalmCheck {
  readonly name: string;
  /** From the moment the network was whole; not scaled. */
  readonly withinMs: number;
  /** It is not looked at earlier, because it is about what happens until then. */
  readonly notBeforeMs?: number;
  readonly look: () => Promise<readonly string[]>;
}

export interface CalmFacts {
  readonly playground: Playground;
  /** The ids that the nodes have now, by host number. */
  readonly ids: ReadonlyMap<number, number>;
  /** Containers that must run: started, never stopped, restarted always. */
  readonly mustRun: readonly { readonly name: string; readonly host: number }[];
  /** Runs probes that a reset removed; "" when all are there, else what was said. */
  readonly mendProbes: () => Promise<string>;
  /** Names work: `NAME.hansa` is asked for beside each address. */
  readonly hasNames: boolean;
}

/** In the order in which they are looked at. */
export function calmChecks(facts: CalmFacts): readonly CalmCheck[] {
  const each = async (look: (host: Host) => Promise<readonly string[]>): Promise<string[]> =>
    (await Promise.all(facts.playground.hosts().map(look))).flat();
  return [
    { name: "full mesh", withinMs: 15_000, look: () => each((host) => meshFaults(host, facts)) },
    { name: "direct paths again", withinMs: 90_000, look: () => each(relayFaults) },
    { name: "one view of the rings", withinMs: 20_000, look: () => ringFaults(facts) },
    {
      name: "probes of reset nodes run",
      withinMs: 60_000,
      look: async () => [await facts.mendProbes()].filter((words) => words !== ""),
    },
    { name: "containers run", withinMs: 90_000, look: () => each((host) => idle(host, facts)) },
    { name: "all reach all", withinMs: 105_000, look: () => reachFaults(facts) },
    { name: "no lease leaked", withinMs: 200_000, look: () => each(leaseFaults) },
    { name: "nothing left over", withinMs: 60_000, look: () => each(remainFaults) },
    { name: "no warnings", withinMs: 60_000, look: () => each(warningFaults) },
    {
      name: "kernel state is as wanted",
      withinMs: 60_000,
      notBeforeMs: QUIET_MS + 10_000,
      look: () => each(repairFaults),
    },
  ];
}

async function meshFaults(host: Host, { ids }: CalmFacts): Promise<string[]> {
  const status = await statusOf(host);
  if (!status) return [`${host.name} does not answer`];
  const expected = [...ids.values()].toSorted((a, b) => a - b);
  const faults: string[] = [];
  if (status.node.id !== ids.get(host.number)) {
    faults.push(`${host.name} has the id ${status.node.id}, not ${ids.get(host.number)}`);
  }
  const alive = status.peers.filter(({ state }) => state === "alive").map(({ id }) => id);
  if (alive.toSorted((a, b) => a - b).join() !== expected.join()) {
    faults.push(`${host.name} sees ${alive.join()} alive, not ${expected.join()}`);
  }
  const trace = status.peers.filter(({ id }) => !expected.includes(id));
  if (trace.length > 0) faults.push(`${host.name} still lists ${trace.map(({ id }) => id).join()}`);
  const direct = status.connections.flatMap(({ state, peer }) =>
    state === "established" && peer ? [peer.id] : [],
  );
  const missing = expected.filter((id) => id !== status.node.id && !direct.includes(id));
  for (const id of missing) {
    const row = status.connections.find(({ peer }) => peer?.id === id);
    faults.push(`${host.name} to ${id}: ${row ? `${row.state} ${row.error ?? ""}` : "no row"}`);
  }
  return faults;
}

async function relayFaults(host: Host): Promise<string[]> {
  const status = await statusOf(host);
  if (!status) return [`${host.name} does not answer`];
  return status.connections
    .filter(({ state, backend }) => state === "established" && backend === "relay")
    .map(({ peer, via }) => `${host.name} to ${peer?.id} goes by a relay (${via?.name ?? "tcp"})`);
}

async function ringFaults({ playground }: CalmFacts): Promise<string[]> {
  const views = new Map<string, string[]>();
  for (const host of playground.hosts()) {
    const status = await statusOf(host);
    if (!status) return [`${host.name} does not answer`];
    const text = ringText(status);
    views.set(text, [...(views.get(text) ?? []), host.name]);
  }
  if (views.size > 1) {
    return [...views].map(([text, names]) => `${names.join(", ")} see ${text}`);
  }
  const [text = ""] = views.keys();
  const total = text.split(" ").reduce((sum, word) => sum + Number(word.split("=")[1]), 0);
  return total === 2 ** 19
    ? []
    : [`the owners ${text} have ${total} addresses in all, not ${2 ** 19}`];
}

function ringText({ ipam }: Status): string {
  return ipam.entries
    .filter(({ addresses }) => addresses > 0)
    .map(({ id, addresses }) => `${id}=${addresses}`)
    .toSorted()
    .join(" ");
}

async function idle(host: Host, { mustRun }: CalmFacts): Promise<string[]> {
  const containers = await containersOf(host);
  if (!containers) return [`Docker on ${host.name} does not answer`];
  return mustRun
    .filter((each) => each.host === host.number)
    .flatMap(({ name }) => {
      const found = containers.find((container) => container.name === name);
      if (found?.state === "running" && found.address !== "") return [];
      const state = found ? `${found.state}, address "${found.address}"` : "gone";
      return [`${name} on ${host.name} should run and is ${state}`];
    });
}

interface Running extends DockerContainer {
  readonly host: Host;
}

async function runningOf(playground: Playground): Promise<readonly Running[]> {
  const lists = await Promise.all(
    playground
      .hosts()
      .map(async (host) =>
        ((await containersOf(host)) ?? [])
          .filter(({ state, isOnNetwork }) => state === "running" && isOnNetwork)
          .map((container) => ({ ...container, host })),
      ),
  );
  return lists.flat();
}

/** In each container: its own address, then each other's answer over TCP. Prints only what is wrong. */
const REACH_SCRIPT = `
own=$1; shift
ip -4 -o addr | grep -q " $own/" || echo "does not have the address $own: $(ip -4 -o addr)"
for pair in "$@"; do
  to=\${pair%=*}; name=\${pair#*=}
  said=$(wget -qO- -T 3 "http://$to/" 2>&1) || said="$said (no answer)"
  [ "$said" = "$name" ] || echo "asked $to for $name and heard: $said"
done
`;

async function reachFaults({ playground, hasNames }: CalmFacts): Promise<string[]> {
  const running = await runningOf(playground);
  const faults: string[] = [];
  // One host's containers at a time: hundreds of requests at once would measure this machine.
  for (const host of playground.hosts()) {
    const own = running.filter((each) => each.host.number === host.number);
    const answers = await Promise.all(
      own.map(async (from) => {
        const others = running.filter((to) => to !== from);
        const pairs = others.flatMap(({ name, address }) => [
          `${address}=${name}`,
          ...(hasNames ? [`${name}.hansa=${name}`] : []),
        ]);
        const words = ["sh", "-c", REACH_SCRIPT, "sh", from.address, ...pairs];
        const answer = await host.docker(["exec", from.name, ...words], { timeoutMs: 120_000 });
        const lines = `${answer.stdout}${answer.stderr}`.trim().split("\n").filter(Boolean);
        return lines.map((line) => `${from.name} on ${host.name} (${from.address}) ${line}`);
      }),
    );
    faults.push(...answers.flat());
  }
  return faults;
}

/** The plugin's count of leases against Docker's containers with an address, and what the node's own check says. */
async function leaseFaults(host: Host): Promise<string[]> {
  const [status, containers] = [await statusOf(host), await containersOf(host)];
  if (!status || !containers) return [`${host.name} does not answer`];
  const active = status.ipam.entries.find(({ id }) => id === status.node.id)?.active;
  const held = containers.filter(({ state, address }) => state === "running" && address !== "");
  if (active !== held.length) {
    return [`${host.name} has ${active} leases and ${held.length} containers with an address`];
  }
  const check = await host.exec(["hansa", "ipam", "check"], { timeoutMs: 60_000 });
  return check.status === 0
    ? []
    : [`hansa ipam check on ${host.name}: ${check.stdout}${check.stderr}`];
}

async function processRows(host: Host): Promise<readonly string[]> {
  const listing = await host.exec(["ps", "-eo", "pid=,ppid=,stat=,args="]);
  return listing.stdout
    .trim()
    .split("\n")
    .map((line) => line.trim());
}

function isZombie(row: string): boolean {
  return /^\d+\s+\d+\s+Z/.test(row);
}

/** What processes, interfaces and descriptors a host may have. */
async function remainFaults(host: Host): Promise<string[]> {
  const faults: string[] = [];
  const rows = await processRows(host);
  const zombies = rows.filter(isZombie);
  // One that its parent is about to wait for is none.
  if (zombies.length > 0) await sleep(1_500);
  const still = new Set(zombies.length > 0 ? await processRows(host) : []);
  const left = zombies.filter((row) => still.has(row));
  if (left.length > 0) faults.push(`${host.name} has zombies: ${left.join("; ")}`);
  for (const [what, pattern] of [
    ["daemon", /hansa daemon$/],
    ["ipam-plugin", /hansa ipam-plugin$/],
    ["supervisor", /hansa supervise$/],
    ["tunnel", /wireguard-go -f hansa-wg$|hansa tunnel$|sleep infinity .*hansa/],
  ] as const) {
    const count = rows.filter((row) => pattern.test(row)).length;
    if (count !== 1) faults.push(`${host.name} has ${count} processes ${what}`);
  }
  for (const name of PROCESSES) {
    if (!processOf(host, name)) faults.push(`${host.name} has no pid file of a living ${name}`);
  }
  const links = await host.exec(["ip", "-o", "link"]);
  if (links.status !== 0) return [`${host.name} does not list its links: ${links.stderr}`];
  const names = [...links.stdout.matchAll(/^\d+: ([^:@]+)/gm)].map(([, name = ""]) => name);
  const veths = names.filter((name) => name.startsWith("veth")).length;
  const attached = ((await containersOf(host)) ?? []).filter(
    ({ state, isOnNetwork }) => state === "running" && isOnNetwork,
  );
  // A dockerd that was killed between a container's end and its start leaves that container's namespace behind, with its veth.
  const kept = await host.exec(["sh", "-c", "ls /run/docker/netns 2>/dev/null | wc -l"]);
  const most = Math.max(attached.length, Number(kept.stdout));
  if (veths < attached.length || veths > most) {
    faults.push(
      `${host.name} has ${veths} veth interfaces for ${attached.length} containers and ${most} namespaces`,
    );
  }
  const known = /^(lo|eth\d+|docker0|hansa0|hansa-wg|veth.*|hpg.*)$/;
  const strange = names.filter((name) => !known.test(name));
  if (strange.length > 0) faults.push(`${host.name} has the interfaces ${strange.join(", ")}`);
  return faults;
}

async function warningFaults(host: Host): Promise<string[]> {
  const status = await statusOf(host);
  if (!status) return [`${host.name} does not answer`];
  return status.warnings.map(({ code, message }) => `${host.name} warns ${code}: ${message}`);
}

/** How far back a change of the host's network counts as one that was made without cause. */
const QUIET_MS = 12_000;

/**
 * The daemon looks at the host's network every 10 s and logs what it had to change: in a cluster at rest that is nothing.
 */
async function repairFaults(host: Host): Promise<string[]> {
  const nowMs = Date.now();
  return logOf(host, "daemon")
    .split("\n")
    .filter((line) => /overlay (not )?set/.test(line))
    .filter((line) => nowMs - timeOf(line) < QUIET_MS)
    .map((line) => `${host.name} repaired: ${line}`);
}

function timeOf(line: string): number {
  return Date.parse(/\d{4}-\d\d-\d\dT[\d:.]+Z/.exec(line)?.[0] ?? "") || 0;
}
