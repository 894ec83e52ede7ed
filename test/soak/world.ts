/**
 * What the planner believes of the cluster: the sum of its own events, never of what was observed. Pure.
 *
 * So a plan depends on the seed alone, and what Docker or Hansa failed to do changes no later event.
 */
import type { Planned, SoakEvent } from "./event.ts";

export interface WorldHost {
  readonly number: number;
  /** The node's id; another one after a reset. */
  readonly id: number;
  readonly isOn: boolean;
  readonly hasDocker: boolean;
  readonly isLaunched: boolean;
  readonly isCut: boolean;
  /** When its processes were killed the last two times, planned time; a start of all counts as two. */
  readonly killsMs: readonly [number, number];
  /** When it was launched, planned time. */
  readonly launchedMs: number;
  readonly targets: readonly string[];
}

export interface WorldContainer {
  readonly name: string;
  readonly host: number;
  readonly ip: string | null;
  readonly restart: boolean;
  readonly isRunning: boolean;
  /** On the network `hansa`. */
  readonly isAttached: boolean;
}

export interface World {
  readonly seed: number;
  /** Events so far. */
  readonly step: number;
  readonly nowMs: number;
  /** Of the last calm: its step. */
  readonly calmStep: number;
  readonly hosts: readonly WorldHost[];
  readonly containers: readonly WorldContainer[];
  readonly groups: readonly (readonly number[])[];
  /** One-way losses and blocks. */
  readonly holes: number;
  readonly delays: readonly { readonly a: number; readonly b: number }[];
  /** Ids that were ever in use. */
  readonly usedIds: readonly number[];
}

/** Launched hosts with ids 1 to `hosts`, each with all hosts as targets, and no containers. */
export function newWorld(seed: number, hosts: number): World {
  const numbers = Array.from({ length: hosts }, (_, index) => index + 1);
  return {
    seed,
    step: 0,
    nowMs: 0,
    calmStep: 0,
    hosts: numbers.map((number) => ({
      number,
      id: number,
      isOn: true,
      hasDocker: true,
      isLaunched: true,
      isCut: false,
      killsMs: [-60_000, -60_000],
      launchedMs: -60_000,
      targets: allTargets(hosts),
    })),
    containers: [],
    groups: [],
    holes: 0,
    delays: [],
    usedIds: numbers,
  };
}

export function allTargets(hosts: number): readonly string[] {
  return Array.from({ length: hosts }, (_, index) => `host${index + 1}`);
}

/** The world after this event began. */
export function afterEvent(world: World, { afterMs, event }: Planned): World {
  const nowMs = world.nowMs + afterMs;
  const next = { ...world, nowMs, step: world.step + 1 };
  return { ...next, ...changes(next, event) };
}

function changes(world: World, event: SoakEvent): Partial<World> {
  switch (event.type) {
    case "run": {
      const { host, name, ip, restart } = event;
      const container = { name, host, ip, restart, isRunning: true, isAttached: true };
      return { containers: [...world.containers, container] };
    }
    case "stop":
      return withContainer(world, event.name, { isRunning: false });
    case "start":
    case "restart":
      return withContainer(world, event.name, { isRunning: true });
    case "detach":
      return withContainer(world, event.name, { isAttached: false });
    case "attach":
      return withContainer(world, event.name, { isAttached: true });
    case "remove":
      return { containers: world.containers.filter(({ name }) => name !== event.name) };
    case "kill":
      return {
        hosts: world.hosts.map((host) =>
          host.number === event.host ? killedOnce(host, world.nowMs) : host,
        ),
      };
    case "kill-all":
      return {
        hosts: world.hosts.map((host) =>
          host.isOn && host.isLaunched ? killedOnce(host, world.nowMs) : host,
        ),
      };
    case "kill-docker":
      return dockerGone(world, event.host);
    case "stop-docker":
      return {
        ...dockerGone(world, event.host),
        ...withHost(world, event.host, { hasDocker: false }),
      };
    case "start-docker":
      return withHost(world, event.host, { hasDocker: true });
    case "power-cut":
      return { ...dockerGone(world, event.host), ...withHost(world, event.host, { isOn: false }) };
    case "boot":
      return withHost(world, event.host, {
        isOn: true,
        hasDocker: true,
        killsMs: [world.nowMs, world.nowMs],
      });
    case "part":
      return { groups: event.groups };
    case "heal":
      return { groups: [], holes: 0 };
    case "oneway":
    case "block":
      return { holes: world.holes + 1 };
    case "cut":
      return withHost(world, event.host, { isCut: true });
    case "mend":
      return withHost(world, event.host, { isCut: false });
    case "delay": {
      const others = world.delays.filter(({ a, b }) => a !== event.a || b !== event.b);
      const { a, b, ms, loss } = event;
      return { delays: ms === 0 && loss === 0 ? others : [...others, { a, b }] };
    }
    case "forget":
      return withTargets(world, event.host, (targets) =>
        targets.filter((target) => target !== event.target),
      );
    case "connect":
      return withTargets(world, event.host, (targets) => [...new Set([...targets, event.target])]);
    case "reset":
      return {
        containers: world.containers.filter(({ host }) => host !== event.host),
        ...withHost(world, event.host, { isLaunched: false }),
      };
    case "launch":
      return {
        usedIds: [...new Set([...world.usedIds, event.id])],
        ...withHost(world, event.host, {
          id: event.id,
          isLaunched: true,
          killsMs: [world.nowMs, world.nowMs],
          launchedMs: world.nowMs,
          targets: allTargets(world.hosts.length),
        }),
      };
    case "calm":
      return {
        calmStep: world.step,
        groups: [],
        holes: 0,
        delays: [],
        hosts: world.hosts.map((host) => ({
          ...host,
          isOn: true,
          hasDocker: true,
          isLaunched: true,
          isCut: false,
        })),
      };
  }
}

function killedOnce(host: WorldHost, nowMs: number): WorldHost {
  return { ...host, killsMs: [host.killsMs[1], nowMs] };
}

function withHost(world: World, number: number, change: Partial<WorldHost>): Partial<World> {
  return {
    hosts: world.hosts.map((host) => (host.number === number ? { ...host, ...change } : host)),
  };
}

function withTargets(
  world: World,
  number: number,
  change: (targets: readonly string[]) => readonly string[],
): Partial<World> {
  return {
    hosts: world.hosts.map((host) =>
      host.number === number ? { ...host, targets: change(host.targets) } : host,
    ),
  };
}

function withContainer(
  world: World,
  name: string,
  change: Partial<WorldContainer>,
): Partial<World> {
  return {
    containers: world.containers.map((each) =>
      each.name === name ? { ...each, ...change } : each,
    ),
  };
}

/** Docker ends all its containers, and starts those again that are to be restarted always. */
function dockerGone(world: World, number: number): Partial<World> {
  return {
    containers: world.containers.map((each) =>
      each.host === number ? { ...each, isRunning: each.restart } : each,
    ),
  };
}
