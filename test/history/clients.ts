/**
 * Clients that read, write, compare-and-set and append in the store at the same time, each operation through a node drawn anew, and write down what they were told.
 *
 * Invariants: no value is written twice; what ended in anything but a clear answer is written down as unknown, for it may have been done.
 */
import { setTimeout as pause } from "node:timers/promises";
import { nodeClient } from "../../src/client/node-client.ts";
import { isHansaError } from "../../src/errors.ts";
import type { Host } from "../../src/playground/playground.ts";
import { Dice } from "../soak/dice.ts";
import type { MirrorRead, Operation, Read } from "./operation.ts";

export interface ClientsOptions {
  readonly hosts: readonly Host[];
  readonly seed: number;
  /** How many at a time; default 6. */
  readonly count?: number;
  /** Between two operations of one client; default 25. */
  readonly pauseMs?: number;
}

const KEYS = 4;
/** A list this long is left, and the next one begun. */
const MAX_APPENDED = 60;
const PATIENCE_MS = 60_000;

export class Clients {
  readonly history: Operation[] = [];
  /** How often each error was the answer, by its code, or by its words where the store refused. */
  readonly refusals = new Map<string, number>();
  readonly #hosts: readonly Host[];
  readonly #dice: Dice;
  readonly #pauseMs: number;
  readonly #ending = new AbortController();
  readonly #running: readonly Promise<void>[];
  #written = 0;
  #list = 0;

  constructor({ hosts, seed, count = 6, pauseMs = 25 }: ClientsOptions) {
    this.#hosts = hosts;
    this.#dice = new Dice(seed);
    this.#pauseMs = pauseMs;
    this.#running = Array.from({ length: count }, () => this.#run());
  }

  /** Lets them end, then asks every node that is on for every key, until a majority answers each. The faults must be over. */
  async end(): Promise<void> {
    await this.stop();
    const keys = new Set(this.history.map(({ key }) => key));
    for (const host of this.#hosts.filter(({ isOn }) => isOn)) {
      for (const key of keys) await this.#untilRead(key, host);
    }
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#running);
  }

  async #run(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      await this.#turn();
      await pause(this.#pauseMs);
    }
  }

  async #turn(): Promise<void> {
    const host = this.#dice.pick(this.#hosts);
    const key = `history/${this.#dice.between(1, KEYS)}`;
    const draw = this.#dice.next();
    if (draw < 0.3) {
      await this.#read(key, host);
    } else if (draw < 0.5) {
      await this.#write(key, this.#fresh(), host);
    } else if (draw < 0.8) {
      const seen = await this.#read(key, host);
      if (seen?.kind === "read") await this.#write(key, this.#fresh(), this.#other(host), seen);
    } else {
      await this.#append(host);
    }
  }

  async #append(host: Host): Promise<void> {
    const list = this.#list;
    const key = `history/list-${list}`;
    const seen = await this.#read(key, host);
    if (seen?.kind !== "read") return;
    const value = [...(seen.value?.split(" ") ?? []), this.#fresh()];
    if (value.length > MAX_APPENDED) this.#list = list + 1;
    else await this.#write(key, value.join(" "), this.#other(host), seen);
  }

  /** Mostly somebody else: what one node was told another must know. */
  #other(host: Host): Host {
    return this.#dice.chance(0.3) ? host : this.#dice.pick(this.#hosts);
  }

  #fresh(): string {
    this.#written += 1;
    return `v${this.#written}`;
  }

  async #read(key: string, host: Host): Promise<Read | MirrorRead | undefined> {
    const beganMs = performance.now();
    try {
      const { entry, ageMs } = await clientOf(host).configGet(key);
      const asked = { key, node: host.number, beganMs, endedMs: performance.now() };
      const found = { value: entry?.value, revision: BigInt(entry?.revision ?? 0) };
      const read: Read | MirrorRead =
        ageMs === null
          ? { kind: "read", ...asked, ...found }
          : { kind: "mirror read", ...asked, ...found, ageMs };
      this.history.push(read);
      return read;
    } catch (error) {
      this.#refused(error);
      return undefined;
    }
  }

  async #write(key: string, value: string, host: Host, seen?: Read): Promise<void> {
    const beganMs = performance.now();
    const about = { kind: "write" as const, key, node: host.number, value, beganMs };
    const replaced = seen && { expected: seen.value ?? null };
    try {
      const condition = seen && { revision: `${seen.revision}` };
      const answer = await clientOf(host).configPut({ key, value, ...condition });
      if (!answer.written) return;
      const revision = BigInt(answer.revision);
      const endedMs = performance.now();
      this.history.push({ ...about, ...replaced, endedMs, outcome: "done", revision });
    } catch (error) {
      this.#refused(error);
      const endedMs = performance.now();
      this.history.push({ ...about, ...replaced, endedMs, outcome: "unknown" });
    }
  }

  #refused(error: unknown): void {
    if (!isHansaError(error)) throw error;
    // What etcd says in words that have no code of ours is worth reading.
    const named = error.code === "STORE_REFUSED" ? error.message : error.code;
    this.refusals.set(named, (this.refusals.get(named) ?? 0) + 1);
  }

  async #untilRead(key: string, host: Host): Promise<void> {
    const endMs = performance.now() + PATIENCE_MS;
    while ((await this.#read(key, host))?.kind !== "read") {
      if (performance.now() > endMs)
        throw new Error(`${host.name} does not read ${key} a minute after all is mended`);
      await pause(100);
    }
  }
}

/** The API of a host's node, as its own command line reaches it. Throws PLAYGROUND_HOST_OFF. */
function clientOf(host: Host) {
  return nodeClient(host.apiSocket);
}
