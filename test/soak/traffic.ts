/**
 * How long the probe containers did not hear each other: read from Docker's logs of them on the hosts' disks.
 *
 * A silence is a fault where nothing touched the path: no event on the network, on either host's Docker, power or tunnel. Kills of
 * daemon, plugin and supervisor are no excuse: traffic must not notice them.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Host, Playground } from "../../src/playground/playground.ts";
import type { Disturbance } from "./disturbance.ts";
import { pair } from "./effects.ts";
import type { Journal } from "./journal.ts";
import { containersOf } from "./outside-view.ts";
import { probeName } from "./probe-container.ts";

/** Probes ask once a second and wait 2 s for an answer. */
const SILENCE_MS = 7_000;
const GRACE_MS = 15_000;

export interface TrafficOptions {
  readonly playground: Playground;
  readonly journal: Journal;
  readonly disturbance: Disturbance;
  readonly slowness: () => number;
  readonly fault: (sentence: string) => void;
}

export class Traffic {
  readonly #options: TrafficOptions;
  readonly #files = new Map<number, { path: string; offset: number }>();
  /** When host `from` last heard host `to`, on the journal's clock; `from to` is the key. */
  readonly #heardMs = new Map<string, number>();
  /** Of each host's last minute: when its probe heard itself. */
  readonly #selfMs = new Map<number, readonly number[]>();
  readonly #silent = new Set<string>();
  #worstMs = 0;

  constructor(options: TrafficOptions) {
    this.#options = options;
  }

  /** The longest silence on a path that nothing touched, in milliseconds. */
  get worstMs(): number {
    return this.#worstMs;
  }

  /** Reads what was heard since the last look, and judges all silences. */
  async look(): Promise<void> {
    const { playground, journal } = this.#options;
    await Promise.all(playground.hosts().map((host) => this.#read(host)));
    const nowMs = journal.ms;
    for (const [path, heardMs] of this.#heardMs) this.#judge(path, nowMs - heardMs, nowMs);
  }

  /** The longest time in the last minute that a host's probe did not even hear itself. */
  #starvedMs(host: number, nowMs: number): number {
    const times = [...(this.#selfMs.get(host) ?? []), nowMs];
    return Math.max(0, ...times.slice(1).map((time, index) => time - (times[index] ?? time)));
  }

  #judge(path: string, silenceMs: number, nowMs: number): void {
    const { disturbance, slowness, fault } = this.#options;
    const [from = "", to = ""] = path.split(" ");
    const sinceMs = nowMs - silenceMs - GRACE_MS * slowness();
    const scopes = [pair(Number(from), Number(to)), `path ${from}`, `path ${to}`];
    if (!disturbance.isQuiet(scopes, sinceMs)) return;
    this.#worstMs = Math.max(this.#worstMs, silenceMs);
    const busyMs = this.#starvedMs(Number(from), nowMs) + this.#starvedMs(Number(to), nowMs);
    if (silenceMs < SILENCE_MS * slowness() + busyMs) {
      this.#silent.delete(path);
    } else if (!this.#silent.has(path)) {
      this.#silent.add(path);
      const [p, q] = [probeName(Number(from)), probeName(Number(to))];
      fault(
        `${p} has not heard ${q} for ${silenceMs} ms on a path that nothing touched, and themselves for up to ${busyMs} ms`,
      );
    }
  }

  #remember(host: number, heardMs: number, nowMs: number): void {
    const last = (this.#selfMs.get(host) ?? []).filter((time) => time > nowMs - 60_000);
    this.#selfMs.set(host, [...last, heardMs]);
  }

  async #read(host: Host): Promise<void> {
    const name = probeName(host.number);
    const found = (await containersOf(host))?.find((each) => each.name === name);
    if (found) {
      const path = `${host.stateDir}/docker/containers/${found.id}/${found.id}-json.log`;
      if (this.#files.get(host.number)?.path !== path) {
        this.#files.set(host.number, { path, offset: 0 });
      }
    }
    const file = this.#files.get(host.number);
    if (!file) return;
    const text = readFrom(file.path, file.offset);
    const end = text.lastIndexOf("\n") + 1;
    file.offset += end;
    const nowMs = this.#options.journal.ms;
    for (const line of text.slice(0, end).split("\n")) {
      const heard = /"log":"(\d+)\\n".*"time":"([^"]+)"/.exec(line);
      if (!heard) continue;
      const heardMs = nowMs - (Date.now() - Date.parse(heard[2] ?? ""));
      if (Number(heard[1]) !== host.number)
        this.#heardMs.set(`${host.number} ${heard[1]}`, heardMs);
      else this.#remember(host.number, heardMs, nowMs);
    }
  }
}

/** What the file has from `offset` on, ASCII; empty where it is not there. */
function readFrom(path: string, offset: number): string {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    // The container is gone, and its log with it.
    return "";
  }
  try {
    const size = fstatSync(file).size - offset;
    if (size <= 0) return "";
    const buffer = Buffer.alloc(size);
    return buffer.toString("latin1", 0, readSync(file, buffer, 0, size, offset));
  } finally {
    closeSync(file);
  }
}
