/**
 * Which event comes next: a pure function of the world, which carries seed and step.
 *
 * Bounds, so that a soak stays a hard day and not the end of the world: at most two hosts are off, at most two dockerds are stopped, one
 * host is reset at a time, and at most two processes of a host are killed within `APART_MS` (with supervisor, daemon and plugin gone nobody is
 * left to start them: docs/internals/processes.md). And nobody is born apart: a node launched with an id that owns addresses from birth needs one
 * other in reach, or it gives out what its former life handed over, which is noticed, not prevented (docs/internals/ipam.md).
 */
import { Dice } from "./dice.ts";
import type { EventType, Planned, SoakEvent } from "./event.ts";
import { PROCESSES } from "./event.ts";
import type { World, WorldContainer, WorldHost } from "./world.ts";

/** What the product under test can do; an event of a missing ability is never planned. */
export interface Abilities {
  readonly reset: boolean;
}

const APART_MS = 20_000;
/** Nodes that own addresses from birth, and how long after a launch one is certainly born. */
const BORN_OWNERS = 4;
const BIRTH_MS = 15_000;
const MAX_CONTAINERS = 14;
/** Of the addresses asked for by name; few, so that they are asked for again and elsewhere. */
const FIXED_ADDRESSES = Array.from({ length: 12 }, (_, index) => `10.33.0.${index + 1}`);

/** How often each kind is chosen among those that are possible at the moment. */
const WEIGHTS: Readonly<Partial<Record<EventType, number>>> = {
  run: 26,
  stop: 7,
  start: 8,
  restart: 6,
  remove: 12,
  kill: 16,
  "kill-all": 2,
  detach: 3,
  attach: 6,
  "kill-docker": 3,
  "stop-docker": 3,
  "start-docker": 6,
  "power-cut": 4,
  boot: 8,
  part: 6,
  heal: 6,
  oneway: 4,
  block: 3,
  cut: 4,
  mend: 6,
  delay: 6,
  forget: 2,
  connect: 4,
  reset: 6,
  launch: 10,
};

/** The next event of this world. */
export function nextEvent(world: World, abilities: Abilities): Planned {
  const dice = new Dice(Math.imul(world.seed, 0x9e3779b1) ^ Math.imul(world.step + 1, 0x85ebca6b));
  if (world.step - world.calmStep >= roundLength(world)) {
    return { afterMs: 500, event: { type: "calm" } };
  }
  // Mostly one thing on top of the other; sometimes long enough for a member to be held dead.
  const isLong = dice.chance(0.06);
  const afterMs = Math.floor(
    isLong ? 6_000 + 16_000 * dice.next() : 150 + 3_500 * dice.next() ** 2,
  );
  const possible = candidates({ ...world, nowMs: world.nowMs + afterMs }, abilities, dice);
  const total = possible.reduce((sum, { type }) => sum + (WEIGHTS[type] ?? 0), 0);
  let ticket = dice.next() * total;
  for (const event of possible) {
    ticket -= WEIGHTS[event.type] ?? 0;
    if (ticket < 0) return { afterMs, event };
  }
  return { afterMs, event: { type: "calm" } };
}

/** How many events there are from one calm to the next. */
function roundLength(world: World): number {
  return new Dice(world.seed ^ Math.imul(world.calmStep + 1, 0xc2b2ae35)).between(14, 34);
}

/** At most one event of each kind, each of them possible in this world. */
function candidates(world: World, abilities: Abilities, dice: Dice): readonly SoakEvent[] {
  const on = world.hosts.filter(({ isOn }) => isOn);
  const off = world.hosts.filter(({ isOn }) => !isOn);
  const launched = on.filter(({ isLaunched }) => isLaunched);
  const withDocker = launched.filter(({ hasDocker }) => hasDocker);
  const withoutDocker = on.filter(({ hasDocker }) => !hasDocker);
  const isUsable = ({ host }: WorldContainer): boolean =>
    withDocker.some(({ number }) => number === host);
  const running = world.containers.filter((each) => each.isRunning && isUsable(each));
  const stopped = world.containers.filter((each) => !each.isRunning && isUsable(each));
  const killable = launched.filter(({ killsMs }) => world.nowMs - killsMs[0] > APART_MS);
  const resets = world.hosts.filter(({ isLaunched }) => !isLaunched);
  const events: SoakEvent[] = [];
  const one = <T>(from: readonly T[], make: (value: T) => SoakEvent): void => {
    if (from.length > 0) events.push(make(dice.pick(from)));
  };
  if (world.containers.length < MAX_CONTAINERS)
    one(withDocker, (host) => newRun(world, host, dice));
  one(running, ({ host, name }) => ({ type: "stop", host, name }));
  one(stopped, ({ host, name }) => ({ type: "start", host, name }));
  one(running, ({ host, name }) => ({ type: "restart", host, name }));
  one([...running, ...stopped], ({ host, name }) => ({ type: "remove", host, name }));
  one(killable, ({ number }) => ({ type: "kill", host: number, process: dice.pick(PROCESSES) }));
  if (killable.length === launched.length) {
    events.push({ type: "kill-all", process: dice.pick(PROCESSES) });
  }
  const detached = running.filter(({ isAttached }) => !isAttached);
  const attached = running.filter(({ isAttached }) => isAttached);
  one(attached, ({ host, name }) => ({ type: "detach", host, name }));
  one(detached, ({ host, name }) => ({ type: "attach", host, name }));
  one(withDocker, ({ number }) => ({ type: "kill-docker", host: number }));
  if (withoutDocker.length < 2)
    one(withDocker, ({ number }) => ({ type: "stop-docker", host: number }));
  one(withoutDocker, ({ number }) => ({ type: "start-docker", host: number }));
  one(off, ({ number }) => ({ type: "boot", host: number }));
  const isBirth = launched.some(
    ({ id, launchedMs }) => id <= BORN_OWNERS && world.nowMs - launchedMs < BIRTH_MS,
  );
  if (!isBirth) events.push(...separations(world, dice));
  if (world.groups.length > 0 || world.holes > 0) events.push({ type: "heal" });
  one(
    world.hosts.filter(({ isCut }) => isCut),
    ({ number }) => ({ type: "mend", host: number }),
  );
  const knowing = launched.filter(({ targets }) => targets.length > 1);
  one(knowing, (host) => ({ type: "forget", host: host.number, target: dice.pick(host.targets) }));
  one(launched, ({ number }) => ({
    type: "connect",
    host: number,
    target: `host${dice.between(1, world.hosts.length)}`,
  }));
  // In reach of others, who take its addresses: what an isolated node had waits for a person's take-over.
  const isWhole = world.groups.length === 0 && world.holes === 0;
  if (abilities.reset && resets.length === 0 && isWhole && off.length < 2) {
    const reachable = withDocker.filter(({ isCut }) => !isCut);
    one(reachable, ({ number }) => ({ type: "reset", host: number }));
  }
  one(
    resets.filter(({ isOn, hasDocker }) => isOn && hasDocker),
    (host) => relaunch(world, host, dice),
  );
  return events;
}

/** What may keep hosts from hearing one another. */
function separations(world: World, dice: Dice): readonly SoakEvent[] {
  const on = world.hosts.filter(({ isOn }) => isOn);
  const launched = on.filter(({ isLaunched }) => isLaunched);
  const events: SoakEvent[] = [];
  if (world.hosts.length - on.length < 2 && launched.length > 0) {
    events.push({ type: "power-cut", host: dice.pick(launched).number });
  }
  const numbers = dice.shuffled(world.hosts.map(({ number }) => number));
  const at = dice.between(1, numbers.length - 1);
  events.push({ type: "part", groups: [numbers.slice(0, at), numbers.slice(at)] });
  const [a = 1, b = 2] = numbers;
  events.push({ type: "oneway", from: a, to: b }, { type: "block", a, b });
  const plugged = on.filter(({ isCut }) => !isCut);
  if (plugged.length > 0) events.push({ type: "cut", host: dice.pick(plugged).number });
  events.push(newDelay(world, dice));
  return events;
}

function newRun(world: World, { number }: WorldHost, dice: Dice): SoakEvent {
  const held = new Set(world.containers.map(({ ip }) => ip));
  // Now and then one that another container has: it must be refused.
  const wanted = FIXED_ADDRESSES.filter((ip) => !held.has(ip) || dice.chance(0.05));
  const ip = wanted.length > 0 && dice.chance(0.3) ? dice.pick(wanted) : null;
  return {
    type: "run",
    host: number,
    name: `c${world.step}`,
    ip,
    restart: dice.chance(0.5),
  };
}

function newDelay(world: World, dice: Dice): SoakEvent {
  if (world.delays.length > 0 && dice.chance(0.5)) {
    return { type: "delay", ...dice.pick(world.delays), ms: 0, loss: 0 };
  }
  const [a = 1, b = 2] = dice
    .shuffled(world.hosts.map(({ number }) => number))
    .toSorted((x, y) => x - y);
  return {
    type: "delay",
    a,
    b,
    ms: dice.between(1, 120),
    loss: dice.chance(0.5) ? dice.between(1, 20) : 0,
  };
}

/** The events that bring a reset host back: with its old id, or with one that nobody ever had. */
export function relaunch(world: World, host: WorldHost, dice: Dice): SoakEvent {
  const fresh = Math.max(...world.usedIds) + 1;
  const isOld = dice.chance(0.6) && (host.id > BORN_OWNERS || hearsSomebody(world, host));
  return { type: "launch", host: host.number, id: isOld ? host.id : fresh };
}

/** True while nothing keeps this host from all others, and one of them runs. */
function hearsSomebody(world: World, { number, isCut }: WorldHost): boolean {
  if (isCut || world.groups.length > 0 || world.holes > 0) return false;
  return world.hosts.some(
    (other) => other.number !== number && other.isOn && other.isLaunched && !other.isCut,
  );
}
