/**
 * A soak: five hosts, a random day from one seed, and checks all along and at each calm.
 *
 * The plan comes from the planner or from a recorded journal; planning, doing and checking know nothing of each other but events.
 */
import { mkdirSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import { Slowness } from "../slowness.ts";
import { type CalmCheck, calmChecks } from "./calm-checks.ts";
import { Disturbance } from "./disturbance.ts";
import type { Planned } from "./event.ts";
import { collectEvidence } from "./evidence.ts";
import { Executor, TOKEN } from "./executor.ts";
import { Journal, type Outcome } from "./journal.ts";
import { type Abilities, nextEvent } from "./planner.ts";
import { probeName } from "./probe-container.ts";
import { Sampler } from "./sampler.ts";
import type { CheckFigures, SoakFigures } from "./summary.ts";
import { afterEvent, allTargets, newWorld, type World } from "./world.ts";

/** For the first probes to run. */
const PROBES_MS = 120_000;
/** Fewer say nothing about growth: daemons are young. */
const GROWTH_SAMPLES = 600;
/** Of the time of a check, what it may take itself however late it begins. */
const OWN_MS = 5_000;

export interface SoakOptions {
  /** The playground's name. */
  readonly name: string;
  readonly binary: string;
  readonly hosts: number;
  readonly seed: number;
  readonly minutes: number;
  /** A recorded plan instead of the seed's. */
  readonly plan?: readonly Planned[];
  /** Gets a folder of its own below: the journal, and the evidence of a failure. */
  readonly folder: string;
  readonly echo: (line: string) => void;
  /** Goes on after a fault; default false. */
  readonly keepGoing?: boolean;
  /** Ends it at the next event, with its last calm, summary and cleaning up. */
  readonly signal?: AbortSignal;
}

export interface SoakResult {
  readonly figures: SoakFigures;
  /** Where the journal, and after a fault the evidence, lies. */
  readonly folder: string;
}

/** Runs it to the end of its time, or to the first calm after a fault, and removes the playground. */
export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  const soak = new Soak(options);
  return soak.run();
}

class Soak {
  readonly #options: SoakOptions;
  readonly #folder: string;
  readonly #journal: Journal;
  readonly #slowness = new Slowness();
  readonly #faults: string[] = [];
  readonly #events = new Map<string, { ok: number; failed: number }>();
  readonly #checks = new Map<string, CheckFigures>();
  readonly #disturbance: Disturbance;
  #world: World;
  #calms = 0;
  #slowest = 1;

  constructor(options: SoakOptions) {
    this.#options = options;
    const { folder, seed, hosts, echo } = options;
    this.#folder = join(folder, `soak-${seed}-${new Date().toISOString().replace(/[^0-9T]/g, "")}`);
    mkdirSync(this.#folder, { recursive: true });
    this.#journal = new Journal(join(this.#folder, "soak.jsonl"), { seed, hosts }, echo);
    this.#disturbance = new Disturbance(() => this.#journal.ms);
    this.#world = newWorld(seed, hosts);
  }

  async run(): Promise<SoakResult> {
    const { name, hosts, binary, minutes } = this.#options;
    await using playground = await Playground.up({ name, hosts, binary });
    const shared = {
      playground,
      journal: this.#journal,
      disturbance: this.#disturbance,
      fault: (sentence: string) => this.#fault(sentence),
    };
    const executor = new Executor({
      ...shared,
      slowness: () => this.#slowness.factor,
      ended: (type, outcome) => this.#count(type, outcome),
    });
    const sampler = new Sampler({ ...shared, slowness: this.#slowness });
    await launchAll(playground, executor);
    const abilities = await abilitiesOf(playground);
    this.#journal.note(`five hosts launched; names ${abilities.names}, reset ${abilities.reset}`);
    sampler.start();
    const startedAt = performance.now();
    const isOver = (): boolean =>
      this.#options.signal?.aborted === true ||
      performance.now() - startedAt > minutes * 60_000 ||
      (this.#faults.length > 0 && this.#options.keepGoing !== true);
    try {
      const plan = this.#options.plan?.values();
      while (!isOver()) {
        const planned = plan ? plan.next().value : nextEvent(this.#world, abilities);
        if (!planned) break;
        await this.#step(planned, playground, executor, abilities);
      }
      if (this.#world.calmStep !== this.#world.step) {
        const last: Planned = { afterMs: 0, event: { type: "calm" } };
        await this.#step(last, playground, executor, abilities);
      }
      const { samples, memoryStart, memoryEnd } = sampler.figures;
      if (samples > GROWTH_SAMPLES && memoryEnd > memoryStart * 1.5 + 20 * 2 ** 20) {
        this.#fault(`daemons grew from ${memoryStart} to ${memoryEnd} bytes of their own`);
      }
    } finally {
      await sampler.stop();
      if (this.#faults.length > 0) await collectEvidence(playground, this.#folder);
    }
    return {
      folder: this.#folder,
      figures: {
        seed: this.#options.seed,
        minutes: (performance.now() - startedAt) / 60_000,
        calms: this.#calms,
        events: this.#events,
        checks: this.#checks,
        sampled: sampler.figures,
        slowest: this.#slowest,
        faults: this.#faults,
      },
    };
  }

  async #step(
    planned: Planned,
    playground: Playground,
    executor: Executor,
    abilities: SoakAbilities,
  ): Promise<void> {
    await sleep(planned.afterMs);
    const before = this.#world;
    this.#world = afterEvent(before, planned);
    const { step } = this.#world;
    this.#journal.plan(step, planned);
    this.#slowest = Math.max(this.#slowest, this.#slowness.factor);
    if (planned.event.type !== "calm") return executor.begin(step, planned.event);
    const startedAt = this.#journal.ms;
    const ids = new Map(before.hosts.map(({ number, id }) => [number, id]));
    await executor.mendAll(step, ids);
    const mended = ((this.#journal.ms - startedAt) / 1000).toFixed(1);
    const load = loadavg()[0]?.toFixed(1);
    this.#journal.note(
      `calm ${this.#calms + 1}: ${step - before.calmStep} events, mended in ${mended} s, load ${load}, slowness ${this.#slowness.factor.toFixed(1)}`,
    );
    await this.#check(
      calmChecks({
        playground,
        ids,
        mendProbes: () => executor.mendProbes(),
        hasNames: abilities.names,
        mustRun: [
          ...playground.hosts().map(({ number }) => ({ name: probeName(number), host: number })),
          ...this.#world.containers.filter(
            (each) =>
              each.restart &&
              each.isRunning &&
              each.isAttached &&
              executor.mustRun(each.name) &&
              this.#isAlone(each),
          ),
        ],
      }),
    );
    this.#calms += 1;
  }

  /** Nobody else has the address that it asks for. */
  #isAlone({ ip, name }: { readonly ip: string | null; readonly name: string }): boolean {
    if (ip === null) return true;
    return !this.#world.containers.some((each) => each.ip === ip && each.name !== name);
  }

  async #check(checks: readonly CalmCheck[]): Promise<void> {
    const [startedAt, fairStartedAt] = [performance.now(), fairNow()];
    const took: string[] = [];
    for (const check of checks) {
      const sinceMs = (): number => performance.now() - startedAt;
      // What is promised is judged in the time of a machine at rest.
      const fairMs = (): number => fairNow() - fairStartedAt;
      const begunMs = fairMs();
      await sleep(Math.max(0, (check.notBeforeMs ?? 0) - sinceMs()));
      let wrong = await check.look();
      let waitedFor = "";
      // Three times as long as promised: to tell what comes late from what never comes.
      while (wrong.length > 0 && fairMs() < check.withinMs * 3) {
        await sleep(250);
        const text = wrong.join("; ");
        if (text !== waitedFor) this.#journal.remember(`${check.name}: waits, for ${text}`);
        waitedFor = text;
        wrong = await check.look();
        this.#slowest = Math.max(this.#slowest, this.#slowness.factor);
      }
      const ms = sinceMs();
      const { factor } = this.#slowness;
      // One that waited for an earlier check has a little time of its own.
      const isLate = fairMs() > check.withinMs && fairMs() - begunMs > OWN_MS;
      const load = `load ${loadavg()[0]?.toFixed(1)}, slowness ${factor.toFixed(1)}`;
      if (wrong.length > 0) {
        this.#fault(`${check.name}: not after ${Math.round(ms)} ms (${load}): ${wrong.join("; ")}`);
      } else if (isLate) {
        this.#fault(`${check.name}: only after ${Math.round(ms)} ms (${load})`);
      }
      took.push(`${check.name} ${(ms / 1000).toFixed(1)} s`);
      const last = this.#checks.get(check.name) ?? { looks: 0, longestMs: 0, late: 0 };
      this.#checks.set(check.name, {
        looks: last.looks + 1,
        longestMs: Math.max(last.longestMs, ms),
        late: last.late + (isLate ? 1 : 0),
      });
    }
    this.#journal.note(`after the heal: ${took.join(", ")}`);
  }

  #count(type: string, { ok }: Outcome): void {
    const counts = this.#events.get(type) ?? { ok: 0, failed: 0 };
    if (ok) counts.ok += 1;
    else counts.failed += 1;
    this.#events.set(type, counts);
  }

  #fault(sentence: string): void {
    this.#faults.push(sentence);
    this.#journal.note(`FAULT ${sentence}`);
  }
}

interface SoakAbilities extends Abilities {
  readonly names: boolean;
}

/** What this build can do, by its help and by trying. */
async function abilitiesOf(playground: Playground): Promise<SoakAbilities> {
  const host = playground.host(1);
  const help = (await host.exec(["hansa", "help"])).stdout;
  // The second probe's own name, asked for in the first.
  const name = `http://${probeName(2)}.hansa/`;
  const ask = ["docker", "exec", probeName(1), "wget", "-qO-", "-T", "3", name];
  let names = false;
  for (let turn = 0; turn < 3 && !names; turn += 1) {
    const { stdout } = await host.exec(ask);
    names = stdout.trim() === probeName(2);
  }
  return { reset: /^\s*reset\b/m.test(help), names };
}

async function launchAll(playground: Playground, executor: Executor): Promise<void> {
  const targets = allTargets(playground.size);
  await Promise.all(
    playground.hosts().map(async (host) => {
      const words = ["hansa", "launch", "--id", `${host.number}`, "--token", TOKEN, ...targets];
      for (const argv of [words, ["hansa", "prime"]]) {
        const { status, stderr } = await host.exec(argv, { timeoutMs: 120_000 });
        if (status !== 0) throw new Error(`${argv[0]} ${argv[1]} on ${host.name}: ${stderr}`);
      }
    }),
  );
  // Their addresses are one node's to give, which the others must have met first.
  const endMs = performance.now() + PROBES_MS;
  for (;;) {
    const words = await executor.mendProbes();
    if (words === "") return;
    if (performance.now() > endMs) throw new Error(`the probes do not start: ${words}`);
    await sleep(500);
  }
}
