/**
 * Hosts full of containers that are to come back by themselves after a power cut: set up, cut, and watched until all is well.
 *
 * Well means: each container runs and has an address that no other has, a container of another host fetches its page by TCP, and the node
 * counts exactly as many leases as there are containers.
 */
import type { Host, Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import { eventually, fullMesh, launch, must, NETWORK, status } from "./cluster.ts";

/** Seconds from the moment when power was back, by the clock. */
export interface RebootTimes {
  /** dockerd answers on each rebooted host: it has started its containers, or given them up. */
  readonly docker: number;
  /** Every container runs and has an address. */
  readonly running: number;
  /** Every container is reached from another host. */
  readonly reached: number;
  /** Every node shows every other established, and as many leases as containers. */
  readonly settled: number;
}

/** Launches a node on each host and starts `count` containers on each, which serve their names on port 80. */
export async function fillHosts(playground: Playground, count: number): Promise<void> {
  const members = playground.hosts();
  await Promise.all(
    members.map((host) => launch(host, host.number, host.number === 1 ? "host2" : "host1")),
  );
  await fullMesh(members, 60_000);
  const run = ["docker", "run", "-d", "--restart", "always", ...NETWORK].join(" ");
  const script = [
    `for i in $(seq ${count}); do`,
    `${run} --name $(hostname)-$i busybox sh -c`,
    '"echo $(hostname)-$i >/index.html; exec httpd -f -h /" || exit 1; done',
  ].join(" ");
  await Promise.all(members.map((host) => must(host, "sh", "-c", script)));
  await whenWell(playground, count, 120_000);
}

/** Cuts the power of these hosts at once, gives it back, and waits until all is well everywhere; fails after `withinMs` of a machine at rest. */
export async function rebootHosts(
  playground: Playground,
  rebooted: readonly Host[],
  count: number,
  withinMs: number,
): Promise<RebootTimes> {
  await Promise.all(rebooted.map((host) => host.kill()));
  const [started, fairStarted] = [performance.now(), fairNow()];
  const seconds = (): number => Math.round((performance.now() - started) / 100) / 10;
  await Promise.all(rebooted.map((host) => host.boot({ dockerMs: 0 })));
  await Promise.all(rebooted.map((host) => host.waitForDocker(4 * withinMs)));
  const docker = seconds();
  const left = (): number => Math.max(1000, withinMs - (fairNow() - fairStarted));
  await eventually("all containers run", left(), async () => {
    for (const host of rebooted) await addressesOf(host, count);
    return true;
  });
  const running = seconds();
  await whenReached(playground, count, left());
  const reached = seconds();
  await whenWell(playground, count, left());
  return { docker, running, reached, settled: seconds() };
}

/** The addresses of the host's containers by name. Throws unless there are `count`, all running. */
async function addressesOf(host: Host, count: number): Promise<Map<string, string>> {
  const format =
    "{{.Name}} {{.State.Running}} {{.NetworkSettings.Networks.hansa.IPAddress}} {{.State.Error}}";
  const listed = await must(host, "sh", "-c", `docker inspect -f '${format}' $(docker ps -aq)`);
  const rows = listed.split("\n").map((line) => line.split(" "));
  const found = new Map<string, string>();
  for (const [name = "", running, address = "", ...error] of rows) {
    if (running !== "true" || address === "") throw new Error(`${name}: ${error.join(" ")}`);
    found.set(name.slice(1), address);
  }
  if (found.size !== count) throw new Error(`${found.size} containers on ${host.name}`);
  return found;
}

/** Every container's page is fetched from a container of the next host, and no address is there twice. */
async function whenReached(playground: Playground, count: number, withinMs: number): Promise<void> {
  await eventually("every container is reached", withinMs, async () => {
    const members = playground.hosts();
    const all = await Promise.all(members.map((host) => addressesOf(host, count)));
    const addresses = all.flatMap((each) => [...each.values()]);
    const twice = addresses.filter((address, index) => addresses.indexOf(address) !== index);
    if (twice.length > 0) throw new Error(`given twice: ${twice.join()}`);
    await Promise.all(
      all.map(async (containers, index) => {
        const from = members[(index + 1) % members.length];
        if (from) await fetchAll(from, containers);
      }),
    );
    return true;
  });
}

async function fetchAll(from: Host, containers: ReadonlyMap<string, string>): Promise<void> {
  const fetches = [...containers.values()].map((ip) => `wget -qO- -T 5 http://${ip}/ || echo -`);
  const argv = ["docker", "exec", `${from.name}-1`, "sh", "-c", fetches.join("; ")];
  const answers = (await must(from, ...argv)).split("\n");
  const silent = [...containers.keys()].filter((name, index) => answers[index] !== name);
  if (silent.length > 0) throw new Error(`${from.name} does not reach ${silent.join()}`);
}

async function whenWell(playground: Playground, count: number, withinMs: number): Promise<void> {
  await whenReached(playground, count, withinMs);
  await fullMesh(playground.hosts(), withinMs);
  await eventually("as many leases as containers", withinMs, async () => {
    for (const host of playground.hosts()) {
      const { ipam, node } = await status(host);
      const active = ipam.entries.find(({ id }) => id === node.id)?.active;
      if (active !== count) throw new Error(`${active} leases on ${host.name}`);
    }
    return true;
  });
}
