/**
 * Does to a playground what an event says, as a user would: with hansa and docker, and the playground's own switches.
 *
 * Invariants: `begin` returns at once, so that events overlap; those of one container, of one host's power and Docker, and of the network each run in
 * the order in which they began. A failure is a fault only where nothing else was disturbed; else it is written down.
 */
import type { Host, Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import type { Disturbance } from "./disturbance.ts";
import { disturbedBy, lanesOf, lastingEffect } from "./effects.ts";
import { describe, type SoakEvent } from "./event.ts";
import type { Journal, Outcome } from "./journal.ts";
import { containersOf } from "./outside-view.ts";
import { probeCommand, probeName, runCommand } from "./probe-container.ts";
import { allTargets } from "./world.ts";

/** After a disturbance, this long passes before a failure counts; scaled by slowness. */
const GRACE_MS = 15_000;
const COMMAND_MS = 90_000;
/** A container that Docker never made, because its host was disturbed, cannot be stopped or removed either. */
const GONE = /No such container|removal of container .* is already in progress|is not connected to/;
export const TOKEN = "soak-cluster-password-91xk";

export interface ExecutorOptions {
  readonly playground: Playground;
  readonly journal: Journal;
  readonly disturbance: Disturbance;
  readonly slowness: () => number;
  readonly fault: (sentence: string) => void;
  readonly ended: (type: SoakEvent["type"], outcome: Outcome) => void;
}

export class Executor {
  readonly #options: ExecutorOptions;
  readonly #lanes = new Map<string, Promise<unknown>>();
  /** What disturbs until it is undone: splits, cuts, stopped Docker, dark hosts. */
  readonly #lasting = new Map<string, () => void>();
  /** Containers whose last order Docker carried out, and whether it was one to run. */
  readonly #ordered = new Map<string, boolean>();
  /** The addresses that containers asked for by name. */
  readonly #wanted = new Map<string, string>();

  constructor(options: ExecutorOptions) {
    this.#options = options;
    for (const { number } of options.playground.hosts()) {
      const end = options.disturbance.begin([`path ${number}`]);
      this.#lasting.set(`probe ${number}`, end);
    }
  }

  /** True when Docker accepted the last order for the container, which was to run. */
  mustRun(name: string): boolean {
    return this.#ordered.get(name) === true;
  }

  begin(step: number, event: SoakEvent): void {
    const lanes = lanesOf(event);
    const before = lanes.waits.map((lane) => this.#lanes.get(lane));
    const run = Promise.all(before).then(() => this.#perform(step, event));
    for (const lane of lanes.holds) this.#lanes.set(lane, run);
  }

  /** Resolves when all that began has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#lanes.values());
    this.#lanes.clear();
  }

  /** Mends everything that is broken: power, Docker, launches first, the network last. Returns when the network is whole. */
  async mendAll(step: number, ids: ReadonlyMap<number, number>): Promise<void> {
    await this.settled();
    const { playground } = this.#options;
    const hosts = playground.hosts();
    for (const { number, isOn } of hosts) {
      if (!isOn) this.begin(step, { type: "boot", host: number });
      else if (this.#lasting.has(`docker ${number}`)) {
        this.begin(step, { type: "start-docker", host: number });
      }
    }
    await this.settled();
    for (const { number } of hosts) {
      if (!this.#lasting.has(`launched ${number}`)) continue;
      this.begin(step, { type: "launch", host: number, id: ids.get(number) ?? number });
    }
    await this.settled();
    for (const { a, b } of playground.impairments.delays) {
      this.begin(step, { type: "delay", a, b, ms: 0, loss: 0 });
    }
    for (const { host } of playground.impairments.cuts) this.begin(step, { type: "mend", host });
    this.begin(step, { type: "heal" });
    await this.settled();
  }

  /** Runs the probes of hosts that are new or were reset; "" when all are there, else what was said. */
  async mendProbes(): Promise<string> {
    const { playground } = this.#options;
    const said = await Promise.all(
      playground.hosts().map(async (host) => {
        if (!this.#lasting.has(`probe ${host.number}`)) return "";
        const isThere = (await containersOf(host))?.some(
          ({ name }) => name === probeName(host.number),
        );
        // A failed run leaves the container behind.
        if (isThere) await this.#command(host.number, "docker", "rm", "-f", probeName(host.number));
        const words = await this.#command(
          host.number,
          ...probeCommand(host.number, playground.size),
        );
        if (words === "") this.#close(`probe ${host.number}`);
        return words;
      }),
    );
    return said.filter((words) => words !== "").join("; ");
  }

  #close(key: string): void {
    this.#lasting.get(key)?.();
    this.#lasting.delete(key);
  }

  async #perform(step: number, event: SoakEvent): Promise<void> {
    const { journal, disturbance, slowness, fault } = this.#options;
    const [startedAt, fairStartedAt] = [journal.ms, fairNow()];
    if (event.type === "run" && event.ip !== null) this.#wanted.set(event.name, event.ip);
    const ip = "name" in event ? this.#wanted.get(event.name) : undefined;
    const hosts = this.#options.playground.size;
    const scopes = [...disturbedBy(event, hosts), ...(ip === undefined ? [] : [`address ${ip}`])];
    const end = disturbance.begin(scopes);
    const needs = this.#needsQuiet(event);
    const sinceMs = startedAt - GRACE_MS * slowness();
    const wasQuiet = needs !== undefined && disturbance.isQuiet(needs, sinceMs);
    let words = "";
    try {
      words = await this.#act(event);
    } catch (error) {
      words = error instanceof Error ? error.message : `${error}`;
    }
    end();
    this.#remember(event);
    const ok = words === "" || GONE.test(words);
    const outcome: Outcome = { ok, tookMs: journal.ms - startedAt, words };
    journal.outcome(step, outcome);
    this.#options.ended(event.type, outcome);
    if (event.type === "remove" && ok) this.#wanted.delete(event.name);
    if ("name" in event) {
      this.#ordered.set(event.name, ok && !["stop", "remove", "detach"].includes(event.type));
    }
    const isQuiet = needs !== undefined && wasQuiet && disturbance.isQuiet(needs, sinceMs);
    if (!ok && isQuiet) fault(`${describe(event)} failed on a quiet host: ${words}`);
    if (!ok && needs === undefined) journal.note(`${describe(event)}: ${words}`);
    if (isQuiet && fairNow() - fairStartedAt > 30_000) {
      fault(`${describe(event)} took ${outcome.tookMs} ms on a quiet host`);
    }
  }

  /** Ends with "" when all went well, else with what was said. */
  async #act(event: SoakEvent): Promise<string> {
    const { playground } = this.#options;
    switch (event.type) {
      case "run":
        return this.#runContainer(playground.host(event.host), event);
      case "stop":
        return this.#command(event.host, "docker", "stop", "-t", "1", event.name);
      case "start":
        return this.#command(event.host, "docker", "start", event.name);
      case "restart":
        return this.#command(event.host, "docker", "restart", "-t", "1", event.name);
      case "remove":
        return this.#command(event.host, "docker", "rm", "-f", event.name);
      case "detach":
        return this.#command(event.host, "docker", "network", "disconnect", "hansa", event.name);
      case "attach": {
        const ip = this.#wanted.get(event.name);
        const options = ip === undefined ? [] : ["--ip", ip];
        const words = ["docker", "network", "connect", ...options, "hansa", event.name];
        return this.#command(event.host, ...words);
      }
      case "kill-all": {
        const hosts = playground.hosts().filter(({ isOn }) => isOn);
        const said = await Promise.all(
          hosts.map(({ number }) => this.#act({ ...event, type: "kill", host: number })),
        );
        return said.filter((words) => words !== "").join("; ");
      }
      case "kill": {
        const script = `read pid rest < /run/hansa/${event.process}.pid && kill -9 $pid`;
        return this.#command(event.host, "sh", "-c", script);
      }
      case "kill-docker":
        await playground.host(event.host).killDocker();
        await playground.host(event.host).waitForDocker(120_000);
        return "";
      case "stop-docker":
        await playground.host(event.host).stopDocker();
        return "";
      case "start-docker":
        await playground.host(event.host).startDocker({ dockerMs: 120_000 });
        return "";
      case "power-cut":
        await playground.host(event.host).kill();
        return "";
      case "boot":
        await playground.host(event.host).boot({ dockerMs: 180_000 });
        return "";
      case "part":
        await playground.part(event.groups);
        return "";
      case "heal":
        await playground.heal();
        return "";
      case "oneway":
        await playground.oneway(event.from, event.to);
        return "";
      case "block":
        await playground.block(event.a, event.b, "udp", 6784);
        return "";
      case "cut":
        await playground.cut(event.host);
        return "";
      case "mend":
        await playground.mend(event.host);
        return "";
      case "delay":
        await playground.delay(event.a, event.b, event.ms, event.loss);
        return "";
      case "forget":
      case "connect":
        return this.#command(event.host, "hansa", event.type, event.target);
      case "reset":
        return this.#reset(event.host);
      case "launch":
        return this.#launch(event.host, event.id);
      case "calm":
        return "";
    }
  }

  #runContainer(host: Host, event: Extract<SoakEvent, { type: "run" }>): Promise<string> {
    const { name, ip, restart } = event;
    const options = [...(ip ? ["--ip", ip] : []), ...(restart ? ["--restart", "always"] : [])];
    return this.#command(host.number, ...runCommand(name, options));
  }

  /** With its containers: what is forced off the network would not come back to it by itself. */
  async #reset(number: number): Promise<string> {
    const words = await this.#command(number, "hansa", "reset", "--force");
    const sweep = "docker ps -aq | xargs -r docker rm -f >/dev/null";
    return words || this.#command(number, "sh", "-c", sweep);
  }

  async #launch(number: number, id: number): Promise<string> {
    const targets = allTargets(this.#options.playground.size);
    const words = ["hansa", "launch", "--id", `${id}`, "--token", TOKEN, ...targets];
    return this.#command(number, ...words);
  }

  async #command(number: number, ...argv: readonly string[]): Promise<string> {
    const host = this.#options.playground.host(number);
    const answer = await host.exec(argv, { timeoutMs: COMMAND_MS });
    if (answer.status === 0) return "";
    return `status ${answer.status}: ${(answer.stderr + answer.stdout).trim()}`;
  }

  /** The scopes that must have been quiet for the event's failure to be a fault; undefined: any failure is only noted. */
  #needsQuiet(event: SoakEvent): readonly string[] | undefined {
    switch (event.type) {
      case "run":
      case "stop":
      case "start":
      case "restart":
      case "detach":
      case "attach":
      case "remove": {
        const ip = this.#wanted.get(event.name);
        if (ip === undefined) return [`host ${event.host}`];
        const claimants = [...this.#wanted.values()].filter((each) => each === ip).length;
        if (claimants > 1) return undefined;
        // It may be another host's to give: that one, and the way to it, must be well.
        const hosts = this.#options.playground.hosts().map(({ number }) => `host ${number}`);
        return [...hosts, "network", "others"];
      }
      case "forget":
      case "connect":
        return [`host ${event.host}`];
      default:
        return undefined;
    }
  }

  /** What an event broke stays disturbed until it is undone. */
  #remember(event: SoakEvent): void {
    const { opens, scopes, closes } = lastingEffect(event, this.#options.playground.size);
    for (const key of [...this.#lasting.keys()].filter((key) => closes.test(key))) this.#close(key);
    for (const key of opens) {
      if (!this.#lasting.has(key)) this.#lasting.set(key, this.#options.disturbance.begin(scopes));
    }
  }
}
