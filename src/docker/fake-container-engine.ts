/**
 * Reaches into containers of the FakeEngine: a few programs as busybox has them, logs that a test writes, and files in memory.
 *
 * Invariant: what the shared suite (engine-suite.ts) demands of a real Engine holds here too.
 */
import { HansaError } from "../errors.ts";
import type { ContainerUsage, ProcessTable } from "../values/container-usage.ts";
import type {
  Archive,
  ContainerEngine,
  ExecProcess,
  ExecSpec,
  LogsSpec,
  PathStat,
} from "./container-engine.ts";
import type { Output } from "./output-frames.ts";

/** What the FakeEngine knows of a container. */
export interface InsideContainer {
  readonly id: string;
  readonly running: boolean;
}

interface Message extends Output {
  /** "seconds.nanoseconds". */
  readonly at: string;
}

export class FakeContainerEngine implements ContainerEngine {
  readonly #look: (name: string) => InsideContainer | undefined;
  readonly #logs = new Map<string, Message[]>();
  readonly #listeners = new Set<() => void>();
  /** Archives by container and folder, as they were written. */
  readonly #files = new Map<string, Buffer>();
  /** Sizes that terminals were given, newest last. */
  readonly sizes: { readonly rows: number; readonly columns: number }[] = [];
  /** Messages of logs that were taken by readers. */
  given = 0;
  /** How often somebody asked whether a command runs. */
  lookedAt = 0;
  #nanos = 0;

  constructor(look: (name: string) => InsideContainer | undefined) {
    this.#look = look;
  }

  /** What a container writes; one message a call. Its time is `atSeconds` and a growing part of a second. */
  say(name: string, kind: Output["kind"], text: string, atSeconds = 1_700_000_000): void {
    const { id } = this.#mustFind(name);
    const fraction = `${++this.#nanos}`.padStart(9, "0");
    const time = `${new Date(atSeconds * 1_000).toISOString().slice(0, 19)}.${fraction}Z `;
    const message = { at: `${atSeconds}.${fraction}`, kind, bytes: Buffer.from(time + text) };
    this.#logs.set(id, [...(this.#logs.get(id) ?? []), message]);
    for (const wake of [...this.#listeners]) wake();
  }

  /** Wakes who follows: a container ended. */
  changed(): void {
    for (const wake of [...this.#listeners]) wake();
  }

  async exec(container: string, spec: ExecSpec): Promise<ExecProcess> {
    this.#mustRun(container);
    return new FakeExec(spec, {
      sizes: this.sizes,
      say: (kind, text) => this.say(container, kind, text),
      asked: () => {
        this.lookedAt += 1;
      },
    });
  }

  async *logs(container: string, spec: LogsSpec, signal: AbortSignal): AsyncGenerator<Output> {
    const { id } = this.#mustFind(container);
    const from = spec.since === "" ? 0 : Number(spec.since);
    const fits = ({ at }: Message): boolean =>
      Number(at) >= from && (spec.until === "" || Number(at) < Number(spec.until));
    let next = this.#logs.get(id)?.length ?? 0;
    const past = (this.#logs.get(id) ?? []).slice(0, next).filter(fits);
    const first = spec.tail === undefined ? 0 : Math.max(0, past.length - spec.tail);
    for (const message of past.slice(first)) {
      this.given += 1;
      yield message;
    }
    while (spec.follow && !signal.aborted && this.#look(id)?.running === true) {
      const news = (this.#logs.get(id) ?? []).slice(next);
      next += news.length;
      yield* news.filter(fits);
      if (news.length === 0) await this.#change(signal);
    }
  }

  async statPath(container: string, path: string): Promise<PathStat | undefined> {
    const { id } = this.#mustFind(container);
    const name = path.split("/").filter(Boolean).at(-1) ?? "/";
    const isKnown = path === "/" || this.#files.has(`${id}:${path}`);
    return isKnown ? { name, size: 0, mode: 0x8000_01ed, linkTarget: "" } : undefined;
  }

  async readArchive(container: string, path: string): Promise<Archive | undefined> {
    const stat = await this.statPath(container, path);
    const { id } = this.#mustFind(container);
    const bytes = this.#files.get(`${id}:${path}`) ?? Buffer.alloc(1024);
    return stat && { stat, bytes: [bytes] as unknown as AsyncIterable<Buffer> };
  }

  async writeArchive(
    container: string,
    path: string,
    bytes: AsyncIterable<Buffer>,
  ): Promise<boolean> {
    if ((await this.statPath(container, path)) === undefined) return false;
    const chunks: Buffer[] = [];
    for await (const chunk of bytes) chunks.push(chunk);
    const all = Buffer.concat(chunks);
    const first = all.toString("utf8", 0, Math.max(0, all.subarray(0, 100).indexOf(0)));
    const { id } = this.#mustFind(container);
    this.#files.set(`${id}:${path === "/" ? "" : path}/${first.replace(/\/$/, "")}`, all);
    return true;
  }

  async processes(container: string): Promise<ProcessTable> {
    this.#mustRun(container);
    return { titles: ["UID", "PID", "CMD"], processes: [["root", "1", "sleep 600"]] };
  }

  async *usage(container: string, signal: AbortSignal): AsyncGenerator<ContainerUsage> {
    const { id } = this.#mustFind(container);
    while (!signal.aborted && this.#look(id)?.running === true) {
      yield {
        readAt: "2026-01-02T03:04:05.000000006Z",
        cpuPercent: 12.5,
        memory: 1_048_576,
        memoryLimit: 1_073_741_824,
        received: 1_000,
        sent: 2_000,
        blockRead: 0,
        blockWritten: 4_096,
        processes: 1,
      };
      await this.#change(signal);
    }
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#listeners.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#listeners.add(wake);
      signal.addEventListener("abort", wake);
    });
  }

  #mustFind(container: string): InsideContainer {
    const found = this.#look(container);
    if (found) return found;
    throw new HansaError("CONTAINER_NOT_FOUND", `docker knows no container ${container}`);
  }

  #mustRun(container: string): void {
    if (this.#mustFind(container).running) return;
    throw new HansaError("DOCKER_REFUSED", `docker refused: Container ${container} is not running`);
  }
}

/** cat, pwd, and of sh -c: echo, echo to standard error, exit. */
class FakeExec implements ExecProcess {
  readonly output: AsyncIterable<Output>;
  readonly #sizes: { rows: number; columns: number }[];
  readonly #say: (kind: Output["kind"], text: string) => void;
  readonly #asked: () => void;
  readonly #input: Buffer[] = [];
  #hasEnded: boolean;
  #wake = (): void => undefined;
  #code = 0;

  /** `say` writes into the container's log, as its first process would; `asked` counts who asks whether it runs. */
  constructor(
    spec: ExecSpec,
    {
      sizes,
      say,
      asked,
    }: {
      readonly sizes: { rows: number; columns: number }[];
      readonly say: (kind: Output["kind"], text: string) => void;
      readonly asked: () => void;
    },
  ) {
    this.#sizes = sizes;
    this.#say = say;
    this.#asked = asked;
    this.#hasEnded = !spec.stdin;
    this.output = this.#run(spec);
  }

  async write(bytes: Buffer): Promise<void> {
    this.#input.push(Buffer.from(bytes));
    this.#wake();
  }

  endInput(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  async resize(rows: number, columns: number): Promise<void> {
    this.#sizes.push({ rows, columns });
  }

  async isRunning(): Promise<boolean> {
    this.#asked();
    return !this.#hasEnded;
  }

  async exitCode(): Promise<number> {
    return this.#code;
  }

  close(): void {
    this.endInput();
  }

  async *#run({ command, environment, workdir, tty }: ExecSpec): AsyncGenerator<Output> {
    const say = (text: string, kind: Output["kind"] = "stdout"): Output => ({
      kind: tty ? "stdout" : kind,
      bytes: Buffer.from(text),
    });
    const words = command[0] === "/bin/busybox" ? command.slice(1) : command;
    const [program, , script = ""] = words;
    const value = (word: string): string =>
      environment.find((each) => each.startsWith(`${word.slice(1)}=`))?.slice(word.length) ?? "";
    if (program === "cat") yield* this.#cat();
    else if (program === "pwd") yield say(`${workdir || "/"}\n`);
    else if (program === "sh") {
      for (const line of script.split(";").map((each) => each.trim())) {
        const [word, what = "", to, where] = line.split(" ");
        if (to === ">") {
          this.#say(where === "/proc/1/fd/2" ? "stderr" : "stdout", `${what}\n`);
          continue;
        }
        if (word === "echo")
          yield say(
            `${what.startsWith("$") ? value(what) : what}\n`,
            to === ">&2" ? "stderr" : "stdout",
          );
        if (word === "exit") this.#code = Number(what);
      }
    } else {
      this.#code = 126;
      const reason = `exec: "${program}": executable file not found in $PATH: unknown`;
      yield say(
        `OCI runtime exec failed: exec failed: unable to start container process: ${reason}`,
      );
    }
  }

  async *#cat(): AsyncGenerator<Output> {
    for (;;) {
      const bytes = this.#input.shift();
      if (bytes) yield { kind: "stdout", bytes };
      else if (this.#hasEnded) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
