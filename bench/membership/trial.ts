/**
 * One cluster's life, of ours or of memberlist's: it forms, idles, loses a member. Everything is measured from outside.
 */
import { setTimeout } from "node:timers/promises";
import { NetworkNamespace, trafficOf } from "./network-namespace.ts";
import { NodeProgram, Unheard } from "./node-program.ts";
import { nodeName } from "./node-protocol.ts";

export interface Shape {
  readonly nodes: number;
  /** 1, or as many as there are nodes: one each. */
  readonly processes: number;
}

/** What the cluster does. */
export interface Plan {
  /** Milliseconds between two joins; with 0 all join at once. */
  readonly spacingMs: number;
  /** Seconds to measure it idle once it has formed, 0 for not at all. */
  readonly idleSeconds: number;
  /** Whether one member is killed then. */
  readonly kill: boolean;
}

export interface IdleFigures {
  readonly datagramsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly cpuPerMinute: number;
  readonly residentMiB: number;
}

export interface TrialFigures {
  /** From the first join until all saw all; undefined when they did not within PATIENCE_MS. What follows is left out then. */
  readonly convergeSeconds: number | undefined;
  /** Joins that had to be made again. */
  readonly joinFailures: number;
  /** All per member. */
  readonly idle: IdleFigures | undefined;
  readonly kill: { readonly first: number; readonly all: number } | undefined;
  /** Times that a node held one for dead that lived. */
  readonly wronglyDead: number;
}

/** Until then news of the joins is told to its end, growth push/pulls are over, and garbage of the start is collected. */
const SETTLE_MS = 20_000;
/** A cluster that has not formed by then, or does not know of a kill, never does for us. */
export const PATIENCE_MS = 120_000;
const SEED = 1;

/** Runs one trial in a network of its own, called `name`; `argv` is the program of nodes. */
export async function trial(
  name: string,
  argv: readonly string[],
  shape: Shape,
  plan: Plan,
): Promise<TrialFigures> {
  using network = new NetworkNamespace(name);
  const programs: NodeProgram[] = [];
  try {
    for (let index = 0; index < shape.processes; index += 1) {
      programs.push(new NodeProgram(network.inside(argv)));
    }
    const cluster = new Cluster(programs, shape);
    const { convergeSeconds, joinFailures } = await cluster.form(plan.spacingMs);
    const isFormed = convergeSeconds !== undefined;
    const idle =
      isFormed && plan.idleSeconds > 0 ? await cluster.idle(plan.idleSeconds) : undefined;
    const kill = isFormed && plan.kill ? await cluster.killOne() : undefined;
    return { convergeSeconds, joinFailures, idle, kill, wronglyDead: cluster.wronglyDead };
  } finally {
    await Promise.all(programs.map((program) => program.kill()));
  }
}

class Cluster {
  readonly #programs: readonly NodeProgram[];
  readonly #shape: Shape;
  #victim: number | undefined;
  wronglyDead = 0;

  constructor(programs: readonly NodeProgram[], shape: Shape) {
    this.#programs = programs;
    this.#shape = shape;
    for (const program of programs) {
      program.listen(({ saying }) => {
        if (saying.op !== "dead") return;
        const isTrue = this.#victim !== undefined && saying.node === nodeName(this.#victim);
        if (!isTrue) this.wronglyDead += 1;
      });
    }
  }

  /** Starts all nodes alone, then has all but one join that one. */
  async form(
    spacingMs: number,
  ): Promise<{ convergeSeconds: number | undefined; joinFailures: number }> {
    const { nodes, processes } = this.#shape;
    const count = nodes / processes;
    await Promise.all(
      this.#programs.map((program, index) => {
        program.order({ op: "start", first: SEED + index * count, count });
        return program.heard("started");
      }),
    );
    let joinFailures = 0;
    for (const program of this.#programs) {
      program.listen(({ saying }) => {
        if (saying.op === "joined") joinFailures += saying.failures;
      });
    }
    const full = Promise.all(this.#programs.map((program) => program.heard("full", PATIENCE_MS)));
    const startedMs = performance.now();
    for (const program of this.#programs) {
      program.order({ op: "expect", alive: nodes });
      program.order({ op: "join", seed: SEED, spacingMs });
    }
    try {
      const lastMs = Math.max(...(await full).map(({ atMs }) => atMs));
      return { convergeSeconds: (lastMs - startedMs) / 1000, joinFailures };
    } catch (error) {
      if (!(error instanceof Unheard)) throw error;
      return { convergeSeconds: undefined, joinFailures };
    }
  }

  async idle(seconds: number): Promise<IdleFigures> {
    const first = this.#programs[0];
    if (first === undefined) throw new Error("no program");
    const look = () => ({
      atMs: performance.now(),
      cpu: this.#programs.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
      ...trafficOf(first.pid),
    });
    await setTimeout(SETTLE_MS);
    const before = look();
    await setTimeout(seconds * 1000);
    const after = look();
    const memberSeconds = ((after.atMs - before.atMs) / 1000) * this.#shape.nodes;
    const resident = this.#programs.reduce((sum, { residentMiB }) => sum + residentMiB, 0);
    return {
      datagramsPerSecond: (after.datagrams - before.datagrams) / memberSeconds,
      bytesPerSecond: (after.bytes - before.bytes) / memberSeconds,
      cpuPerMinute: ((after.cpu - before.cpu) * 60) / memberSeconds,
      residentMiB: resident / this.#shape.nodes,
    };
  }

  /** Kills the node in the middle; seconds until the first other one and until all know. */
  async killOne(): Promise<{ first: number; all: number }> {
    const { nodes, processes } = this.#shape;
    const victim = Math.ceil(nodes / 2) + 1;
    this.#victim = victim;
    const at: number[] = [];
    let finish: () => void = () => undefined;
    const allKnow = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const witnesses = new Set<string>();
    for (const program of this.#programs) {
      program.listen(({ saying, atMs }) => {
        if (saying.op !== "dead" || saying.node !== nodeName(victim)) return;
        witnesses.add(saying.by);
        at.push(atMs);
        if (witnesses.size === nodes - 1) finish();
      });
    }
    let startedMs = performance.now();
    if (processes === 1) {
      this.#programs[0]?.order({ op: "kill", node: victim });
      startedMs = (await this.#programs[0]?.heard("killed"))?.atMs ?? startedMs;
    } else {
      await this.#programs[victim - SEED]?.kill();
    }
    const late = setTimeout(PATIENCE_MS, undefined, { ref: false }).then(() => {
      throw new Error(`${witnesses.size} of ${nodes - 1} know after ${PATIENCE_MS} ms`);
    });
    await Promise.race([allKnow, late]);
    const seconds = (ms: number) => (ms - startedMs) / 1000;
    return { first: seconds(Math.min(...at)), all: seconds(Math.max(...at)) };
  }
}
