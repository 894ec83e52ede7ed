/**
 * One host of a playground: commands run in it as if typed at its console, and its power switch.
 *
 * A Host is a handle and holds nothing: what it is about lies in the state file and in the kernel.
 */
import { type ChildProcessWithoutNullStreams, type SpawnOptions, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { HansaError } from "../errors.ts";
import { unixRequest } from "../host/unix-http.ts";
import { KILL_DOCKER_SCRIPT, START_DOCKER_SCRIPT, STOP_DOCKER_SCRIPT } from "./boot-scripts.ts";
import { busyboxTar } from "./busybox-image.ts";
import { hostEnvironment } from "./environment.ts";
import { addressOf, DEFAULT_NAME, hostDir } from "./layout.ts";
import { eraseDisk, powerOff, powerOn } from "./power.ts";
import { initOf, mustReadState } from "./state.ts";

export interface ExecOptions {
  /** Given to standard input, which is closed otherwise. */
  readonly stdin?: string | Uint8Array;
  /** The program is killed after this long, and the call rejects with COMMAND_TIMEOUT; default 120 000. */
  readonly timeoutMs?: number;
  /** Added to the host's small environment (PATH, HOME, TERM, LANG). Nothing else of ours is passed on. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface ExecResult {
  /** The exit status; 128 + signal number for a program that a signal ended. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Of 10 ms each, after a program's end, to read what it printed. */
const READING_TURNS = 20;

const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

/** The exit status that a shell would show for a child's end. */
export function shellStatus(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (SIGNALS[signal ?? ""] ?? 0);
}

export class Host {
  /** The playground's name. */
  readonly playground: string;
  /** From 1. */
  readonly number: number;

  constructor(playground: string, number: number) {
    this.playground = playground;
    this.number = number;
  }

  /** Its host name, which resolves on every host: host1, host2… */
  get name(): string {
    return `host${this.number}`;
  }

  /** The folder that holds its disk on this machine: docker/, hansa/, etc-hansa/, log/, tmp/… */
  get stateDir(): string {
    return hostDir(this.playground, this.number);
  }

  /** Its pid 1 as this machine sees it. Throws PLAYGROUND_HOST_OFF when it is off. */
  get pid(): number {
    const init = initOf(mustReadState(this.playground), this.number);
    if (init !== undefined) return init.pid;
    const named = this.playground === DEFAULT_NAME ? "" : ` --name ${this.playground}`;
    throw new HansaError("PLAYGROUND_HOST_OFF", `${this.name} is off`, {
      hint: `start it with hansa playground${named} boot ${this.number}`,
    });
  }

  get isOn(): boolean {
    return initOf(mustReadState(this.playground), this.number) !== undefined;
  }

  /** The socket of its node's API as this machine sees it, for it has a /run of its own. Throws PLAYGROUND_HOST_OFF when it is off. */
  get apiSocket(): string {
    return `/proc/${this.pid}/root/run/hansa/hansa.sock`;
  }

  /** Its address on a link (from 0). */
  ip(link = 0): string {
    return addressOf(this.number, link);
  }

  /** Runs a program to its end and collects what it prints. A status other than 0 is an answer, not an error. */
  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const child = this.spawn(argv, options);
    const output: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
    child.stdout.on("data", (chunk: Buffer) => output.stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => output.stderr.push(chunk));
    // A program may end without reading its input; its status tells.
    child.stdin.on("error", () => child.stdin.destroy());
    child.stdin.end(options.stdin);
    const timeoutMs = options.timeoutMs ?? 120_000;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill("SIGKILL");
    }, timeoutMs);
    const text = (name: "stdout" | "stderr"): string => Buffer.concat(output[name]).toString();
    try {
      const status = await ended(child);
      if (isLate) {
        const words = `${argv.join(" ")} on ${this.name} did not end within ${timeoutMs} ms`;
        throw new HansaError("COMMAND_TIMEOUT", `${words}: ${text("stdout")}${text("stderr")}`);
      }
      return { status, stdout: text("stdout"), stderr: text("stderr") };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Starts a program with pipes; killing the returned child kills the program in the host. The caller ends it. */
  spawn(
    argv: readonly string[],
    options: Pick<ExecOptions, "env"> = {},
  ): ChildProcessWithoutNullStreams {
    const [program, ...rest] = this.#entering(argv);
    return spawn(program, rest, { env: hostEnvironment(options.env) });
  }

  /** Runs a program on our own terminal and standard streams, and returns its exit status as a shell would. */
  async attach(argv: readonly string[]): Promise<number> {
    const [program, ...rest] = this.#entering(argv);
    const options: SpawnOptions = { stdio: "inherit", env: hostEnvironment() };
    const child = spawn(program, rest, options);
    // The terminal sends its own signals to both of us; only those meant for us alone are passed on.
    const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
    const ignore = (): void => {};
    process.on("SIGTERM", pass).on("SIGHUP", pass).on("SIGINT", ignore).on("SIGQUIT", ignore);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(shellStatus(code, signal)));
    try {
      return await promise;
    } finally {
      process.off("SIGTERM", pass).off("SIGHUP", pass);
      process.off("SIGINT", ignore).off("SIGQUIT", ignore);
    }
  }

  /** The command line that runs `argv` in the host when it is started on this machine; good until the host is switched off. */
  commandLine(argv: readonly string[]): readonly string[] {
    return this.#entering(argv);
  }

  /** Runs `docker ARGS` in the host. */
  docker(args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return this.exec(["docker", ...args], options);
  }

  /** A power cut: every process of the host dies at once, its network and memory are gone, its disk stays. */
  kill(): Promise<void> {
    return powerOff(this.playground, this.number);
  }

  /**
   * Switches the host on and waits until Docker answers and has the image busybox; rejects with PLAYGROUND_FAILED after `dockerMs`
   * (default 60 000; 0: does not wait, and a new disk has no image).
   */
  async boot(options: { readonly dockerMs?: number } = {}): Promise<void> {
    await powerOn(this.playground, this.number);
    if (options.dockerMs === 0) return;
    await this.waitForDocker(options.dockerMs);
    await this.#loadImage();
  }

  /** Makes the disk new, as a replaced machine has it. The host must be off: PLAYGROUND_FAILED otherwise. */
  async wipe(): Promise<void> {
    if (this.isOn) throw new HansaError("PLAYGROUND_FAILED", `${this.name} is on: kill it first`);
    await eraseDisk(this.playground, this.number);
  }

  /** `systemctl stop docker`: dockerd ends by SIGTERM and stays away. Returns when it has ended. */
  async stopDocker(): Promise<void> {
    await this.#must(["sh", "-c", STOP_DOCKER_SCRIPT]);
  }

  /** `systemctl start docker`, and waits until it answers (`dockerMs` as for boot). */
  async startDocker(options: { readonly dockerMs?: number } = {}): Promise<void> {
    await this.#must(["sh", "-c", START_DOCKER_SCRIPT]);
    if (options.dockerMs !== 0) await this.waitForDocker(options.dockerMs);
  }

  /** `kill -9` of dockerd, which is started again by itself. Returns when the old one is gone; see waitForDocker. */
  async killDocker(): Promise<void> {
    await this.#must(["sh", "-c", KILL_DOCKER_SCRIPT]);
  }

  /** Waits until the Docker Engine answers. Throws PLAYGROUND_FAILED with the end of its log otherwise. */
  async waitForDocker(timeoutMs = 180_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await this.#dockerAnswers())) {
      if (!this.isOn || performance.now() > deadline) {
        const why = this.isOn ? `Docker on ${this.name} does not answer` : `${this.name} went off`;
        throw new HansaError("PLAYGROUND_FAILED", `${why}: ${await this.#lastWords()}`);
      }
      await sleep(20);
    }
  }

  async #dockerAnswers(): Promise<boolean> {
    const root = `/proc/${this.pid}/root/run`;
    try {
      // Before its mounts are made, the host still sees this machine's own /run and Docker.
      await readFile(`${root}/playground/ready`);
      const socketPath = `${root}/docker.sock`;
      return (await unixRequest({ socketPath, path: "/_ping", timeoutMs: 2_000 })).status === 200;
    } catch {
      // No file, no socket, no answer: not yet. The deadline tells the user.
      return false;
    }
  }

  /** Gives a new disk the image busybox. */
  async #loadImage(): Promise<void> {
    const marker = `${this.stateDir}/has-image`;
    if (existsSync(marker)) return;
    const argv = ["import", "--change", 'CMD ["sh"]', await busyboxTar(), "busybox:latest"];
    const { status, stderr } = await this.docker(argv);
    if (status === 0) return writeFile(marker, "");
    const text = `the image busybox could not be made on ${this.name}: ${stderr.trim()}`;
    throw new HansaError("PLAYGROUND_FAILED", text);
  }

  async #lastWords(): Promise<string> {
    const lines: string[] = [];
    for (const file of ["console.log", "dockerd.log"]) {
      const text = await readFile(`${this.stateDir}/log/${file}`, "utf8").catch(() => "");
      const last = text.trim().split("\n").at(-1);
      if (last) lines.push(`${file}: ${last}`);
    }
    return lines.join("; ") || "its logs are empty";
  }

  async #must(argv: readonly string[]): Promise<void> {
    const { status, stderr } = await this.exec(argv);
    if (status === 0) return;
    const text = `docker could not be controlled on ${this.name}: ${stderr.trim() || status}`;
    throw new HansaError("PLAYGROUND_FAILED", text);
  }

  /** The host's program dies with the nsenter that we hold, so that killing our child leaves nothing behind. */
  #entering(argv: readonly string[]): [string, ...string[]] {
    const target = ["-t", `${this.pid}`, "-m", "-u", "-n", "-p"];
    return ["nsenter", ...target, "--", "setpriv", "--pdeathsig", "KILL", "--", ...argv];
  }
}

/** Settles when the child has ended and its output is read; a daemon that it left behind may keep the pipes open for ever. */
async function ended(child: ChildProcessWithoutNullStreams): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let isClosed = false;
  child.on("error", reject);
  child.on("close", (code, signal) => {
    isClosed = true;
    resolve(shellStatus(code, signal));
  });
  child.on("exit", async (code, signal) => {
    // Counted in turns of our loop, not in time: on a busy machine what was printed may still wait to be read after any time.
    for (let turn = 0; turn < READING_TURNS && !isClosed; turn += 1) await sleep(10);
    child.stdout.destroy();
    child.stderr.destroy();
    resolve(shellStatus(code, signal));
  });
  return promise;
}
