/** A running program of nodes: orders go in, what it says comes out, and what it uses is read from /proc. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Order, Saying } from "./node-protocol.ts";

/** Said, and when it was heard (milliseconds, performance.now). */
export interface Heard {
  readonly saying: Saying;
  readonly atMs: number;
}

/** Something was not said in time. */
export class Unheard extends Error {
  override readonly name = "Unheard";
}

export class NodeProgram {
  readonly #child: ChildProcess;
  readonly #listeners = new Set<(heard: Heard) => void>();
  #isOver = false;

  /** Runs `argv`; what it says on stderr is ours to read. */
  constructor(argv: readonly string[]) {
    const [program = "", ...args] = argv;
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.on("exit", () => {
      this.#isOver = true;
    });
    if (this.#child.stdout === null) throw new Error("no stdout");
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const heard: Heard = { saying: JSON.parse(line) as Saying, atMs: performance.now() };
      for (const listener of [...this.#listeners]) listener(heard);
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error("the program did not start");
    return this.#child.pid;
  }

  order(order: Order): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  /** Calls `listener` for all that is said from now on, until the returned function is called. */
  listen(listener: (heard: Heard) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The next saying of kind `op`. Rejects when the program ends, with Unheard after `withinMs`. */
  async heard<Op extends Saying["op"]>(
    op: Op,
    withinMs = 60_000,
  ): Promise<{ saying: Saying & { op: Op }; atMs: number }> {
    return await new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        stop();
        this.#child.off("exit", onExit);
        settle();
      };
      const onExit = () => end(() => reject(new Error(`ended before it said "${op}"`)));
      const timer = setTimeout(
        () => end(() => reject(new Unheard(`did not say "${op}" within ${withinMs} ms`))),
        withinMs,
      );
      const stop = this.listen(({ saying, atMs }) => {
        if (saying.op === op) end(() => resolve({ saying: saying as Saying & { op: Op }, atMs }));
      });
      this.#child.on("exit", onExit);
    });
  }

  /** CPU seconds of all its threads, since it began. */
  get cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  /** Memory of its own and its share of what several processes map, in MiB. */
  get residentMiB(): number {
    const rollup = readFileSync(`/proc/${this.pid}/smaps_rollup`, "utf8");
    return Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? Number.NaN) / 1024;
  }

  /** Ends it without a word to anybody. */
  async kill(): Promise<void> {
    if (this.#isOver) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }
}
