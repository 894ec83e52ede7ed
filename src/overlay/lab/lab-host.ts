/**
 * Real hosts in namespaces, for tests of the overlay against the kernel: each has its own network, mounts, /run and processes, a
 * bridge hansa0 as Docker would make it, containers as further network namespaces behind it, and wireguard-go.
 *
 * Everything inside ends with the child process, also when the test is killed: its input closes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { CommandResult } from "../../host/command.ts";
import type { LabRequest } from "./host-process.ts";

export class LabHost implements AsyncDisposable {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #next = 1;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
  }

  /** Starts a host; its loopback is up. Throws when namespaces are not to be had, for example without root. */
  static async start(name: string, tunnelDeadlineMs = 5000): Promise<LabHost> {
    const unshare = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"];
    const script = join(import.meta.dirname, "host-process.ts");
    const child = spawn("unshare", [...unshare, process.execPath, script, `${tunnelDeadlineMs}`], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const host = new LabHost(name, child);
    const ready = Promise.withResolvers<void>();
    child.on("error", ready.reject);
    child.on("exit", (code) => {
      const error = new Error(`the lab host ${name} ended with ${code}`);
      ready.reject(error);
      for (const waiting of host.#waiting.values()) waiting.reject(error);
    });
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const message = JSON.parse(line);
      if (message.ready) ready.resolve();
      else host.#settle(message);
    });
    await ready.promise;
    await host.run("ip", "link", "set", "lo", "up");
    return host;
  }

  /** The process whose namespaces `ip link set … netns PID` can name. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  // biome-ignore lint/suspicious/noExplicitAny: each request has its own answer, and tests name it where they ask.
  ask<T = any>(request: LabRequest): Promise<T> {
    const id = this.#next++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#child.stdin?.write(`${JSON.stringify({ id, request })}\n`);
    return waiting.promise as Promise<T>;
  }

  /** Runs a program inside; a status other than 0 is an answer. */
  run(...argv: string[]): Promise<CommandResult> {
    return this.ask({ op: "run", argv });
  }

  /** Runs a program inside that must succeed, and gives what it printed. */
  async must(...argv: string[]): Promise<string> {
    const result = await this.run(...argv);
    if (result.status !== 0) throw new Error(`${this.name}: ${argv.join(" ")}: ${result.stderr}`);
    return result.stdout;
  }

  /** `hansa0` as Docker makes it: the whole subnet on-link. */
  async makeBridge(address: string): Promise<void> {
    await this.must("ip", "link", "add", "hansa0", "type", "bridge");
    await this.must("ip", "address", "add", address, "dev", "hansa0");
    await this.must("ip", "link", "set", "hansa0", "up");
  }

  /** A container on hansa0: a namespace `name` whose eth0 has `address` (with length), default route by `gateway`. */
  async makeContainer(name: string, address: string, gateway: string, mtu: number): Promise<void> {
    await this.must("ip", "netns", "add", name);
    const peer = ["peer", "name", "eth0", "mtu", `${mtu}`, "netns", name];
    await this.must("ip", "link", "add", `v-${name}`, "mtu", `${mtu}`, "type", "veth", ...peer);
    await this.must("ip", "link", "set", `v-${name}`, "master", "hansa0", "up");
    for (const command of [
      ["link", "set", "lo", "up"],
      ["address", "add", address, "dev", "eth0"],
      ["link", "set", "eth0", "up"],
      ["route", "add", "default", "via", gateway],
    ]) {
      await this.must("ip", "-n", name, ...command);
    }
  }

  /** Runs a program in a container of this host. */
  inside(container: string, ...argv: string[]): Promise<CommandResult> {
    return this.run("ip", "netns", "exec", container, ...argv);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#child.once("exit", () => resolve());
    this.#child.stdin?.end();
    await promise;
  }

  #settle(message: { id: number; value?: unknown; error?: string; code?: string }): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.error === undefined) waiting?.resolve(message.value);
    else waiting?.reject(Object.assign(new Error(message.error), { code: message.code }));
  }
}
