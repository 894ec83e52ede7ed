/**
 * Looks at all hosts once a second for as long as it runs: what must never be is found at the moment it is.
 *
 * Never: one address at two containers of the cluster; a daemon of a quiet host that does not answer; a warning that says the product
 * itself is wrong; memory or descriptors without bound.
 */
import type { Status } from "../../src/api/status-schema.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import type { Slowness } from "../slowness.ts";
import type { Disturbance } from "./disturbance.ts";
import { PROCESSES, type ProcessName } from "./event.ts";
import type { Journal } from "./journal.ts";
import { attachedTo, processOf, statusOf } from "./outside-view.ts";
import { Traffic } from "./traffic.ts";

const EVERY_MS = 1_000;
/** A quiet daemon answers within this, times slowness. */
const ANSWER_MS = 5_000;
const GRACE_MS = 20_000;
const DAEMON_MEMORY = 200 * 2 ** 20;
const DESCRIPTORS: Readonly<Record<ProcessName, number>> = {
  daemon: 200,
  "ipam-plugin": 100,
  supervise: 60,
  tunnel: 100,
};
/** Warnings that no event of ours can cause. */
const NEVER = new Set([
  "DOCKER_NETWORK_DIFFERS",
  "INTERNAL",
  "IPAM_ADDRESS_TWICE",
  "NODE_TWIN",
  "STATE_UNWRITABLE",
]);

export interface SamplerOptions {
  readonly playground: Playground;
  readonly journal: Journal;
  readonly disturbance: Disturbance;
  readonly slowness: Slowness;
  readonly fault: (sentence: string) => void;
}

export interface SampleFigures {
  readonly samples: number;
  /** Largest number of containers seen at one time. */
  readonly mostContainers: number;
  /** The longest time that a probe did not hear another on a path that nothing touched, in milliseconds. */
  readonly worstGapMs: number;
  /** Anonymous bytes of all daemons' mean, in the first and the last quarter of the samples. */
  readonly memoryStart: number;
  readonly memoryEnd: number;
  readonly memoryMost: number;
  readonly cpuSeconds: Readonly<Record<ProcessName, number>>;
  readonly descriptorsMost: Readonly<Record<ProcessName, number>>;
}

export class Sampler {
  readonly #options: SamplerOptions;
  readonly #memory: number[] = [];
  readonly #cpu = new Map<string, { pid: number; cpuSeconds: number }>();
  readonly #cpuTotal = { daemon: 0, "ipam-plugin": 0, supervise: 0, tunnel: 0 };
  readonly #descriptors = { daemon: 0, "ipam-plugin": 0, supervise: 0, tunnel: 0 };
  readonly #traffic: Traffic;
  readonly #told = new Set<string>();
  #samples = 0;
  #mostContainers = 0;
  #isOver = false;
  #loop: Promise<void> | undefined;

  constructor(options: SamplerOptions) {
    this.#options = options;
    this.#traffic = new Traffic({ ...options, slowness: () => options.slowness.factor });
  }

  start(): void {
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#loop;
  }

  get figures(): SampleFigures {
    const quarter = Math.max(1, Math.floor(this.#memory.length / 4));
    return {
      samples: this.#samples,
      mostContainers: this.#mostContainers,
      worstGapMs: this.#traffic.worstMs,
      memoryStart: mean(this.#memory.slice(0, quarter)),
      memoryEnd: mean(this.#memory.slice(-quarter)),
      memoryMost: Math.max(0, ...this.#memory),
      cpuSeconds: this.#cpuTotal,
      descriptorsMost: this.#descriptors,
    };
  }

  async #run(): Promise<void> {
    const { playground, slowness } = this.#options;
    while (!this.#isOver) {
      const startedAt = performance.now();
      await slowness.measure();
      const hosts = playground.hosts();
      await Promise.all([
        this.#addresses(),
        this.#traffic.look(),
        ...hosts.map((host) => this.#host(host)),
      ]);
      this.#samples += 1;
      const left = EVERY_MS - (performance.now() - startedAt);
      await new Promise((resolve) => setTimeout(resolve, Math.max(50, left)));
    }
  }

  async #addresses(): Promise<void> {
    const first = await this.#twice();
    if (first.length === 0) return;
    // Hosts are asked one moment after the other: only what is seen again was true.
    const again = new Set(await this.#twice());
    for (const each of first.filter((text) => again.has(text)))
      this.#fault(`address twice: ${each}`);
  }

  /** Addresses that two containers have, each with both of them, as text. */
  async #twice(): Promise<readonly string[]> {
    const holders = new Map<string, string[]>();
    let count = 0;
    await Promise.all(
      this.#options.playground.hosts().map(async (host) => {
        for (const { name, address } of (await attachedTo(host)) ?? []) {
          count += 1;
          holders.set(address, [...(holders.get(address) ?? []), `${name} on ${host.name}`]);
        }
      }),
    );
    this.#mostContainers = Math.max(this.#mostContainers, count);
    return [...holders]
      .filter(([, names]) => names.length > 1)
      .map(([address, names]) => `${address} of ${names.toSorted().join(" and ")}`);
  }

  async #host(host: Host): Promise<void> {
    const { journal, disturbance, slowness } = this.#options;
    const askedAt = journal.ms;
    const limitMs = ANSWER_MS * slowness.factor;
    const status = await statusOf(host, limitMs);
    const sinceMs = askedAt - GRACE_MS * slowness.factor;
    if (!status && disturbance.isQuiet([`host ${host.number}`], sinceMs)) {
      this.#fault(`the daemon of ${host.name}, which is quiet, does not answer for ${limitMs} ms`);
    }
    if (status) this.#warnings(host, status);
    for (const name of PROCESSES) this.#process(host, name);
  }

  #warnings(host: Host, { warnings }: Status): void {
    for (const { code, message } of warnings) {
      if (NEVER.has(code)) this.#fault(`${host.name} warns ${code}: ${message}`);
    }
  }

  #process(host: Host, name: ProcessName): void {
    const view = processOf(host, name);
    if (!view) return;
    const { pid, cpuSeconds, anonymous, descriptors } = view;
    const key = `${host.number} ${name}`;
    const last = this.#cpu.get(key);
    this.#cpuTotal[name] += cpuSeconds - (last?.pid === pid ? last.cpuSeconds : 0);
    this.#cpu.set(key, { pid, cpuSeconds });
    this.#descriptors[name] = Math.max(this.#descriptors[name], descriptors);
    if (descriptors > DESCRIPTORS[name]) {
      this.#fault(`${name} of ${host.name} has more than ${DESCRIPTORS[name]} descriptors open`);
    }
    if (name !== "daemon") return;
    this.#memory.push(anonymous);
    if (anonymous > DAEMON_MEMORY) {
      this.#fault(`the daemon of ${host.name} has more than ${DAEMON_MEMORY} bytes of its own`);
    }
  }

  /** The same sentence is told once. */
  #fault(sentence: string): void {
    if (this.#told.has(sentence)) return;
    this.#told.add(sentence);
    this.#options.fault(sentence);
  }
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
