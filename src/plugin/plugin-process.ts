/** A real plugin process for tests and benchmarks: started from the sources, in a directory of its own, ended with it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unixRequest } from "../host/unix-http.ts";

export interface PluginPaths {
  readonly socket: string;
  readonly control: string;
  readonly stateDir: string;
  /** All of the above are in it. */
  readonly directory: string;
}

export async function makePluginPaths(): Promise<PluginPaths> {
  const directory = await mkdtemp(join(tmpdir(), "hansa-ipam-"));
  return {
    directory,
    socket: join(directory, "run/ipam.sock"),
    control: join(directory, "run/control.sock"),
    stateDir: join(directory, "state"),
  };
}

/** What `node -e` runs. */
export function pluginScript(
  { socket, control, stateDir }: PluginPaths,
  options: { readonly deadlineMs?: number },
  predecessor?: number,
): string {
  const main = new URL("./main.ts", import.meta.url).href;
  const all = { socket, control, stateDir, bridge: "no-such-bridge", ...options };
  const object = JSON.stringify(all);
  const before =
    predecessor === undefined
      ? "undefined"
      : `{ send: (signal) => process.kill(${predecessor}, signal), hasEnded() {
          try { process.kill(${predecessor}, 0); return false; } catch { return true; }
        } }`;
  return `import(${JSON.stringify(main)}).then((m) => m.runIpamPlugin({ ...${object}, predecessor: ${before} }));`;
}

/** Against hanging. */
const START_MS = 120_000;

export class PluginProcess implements AsyncDisposable {
  readonly paths: PluginPaths;
  readonly child: ChildProcess;
  /** What it logged so far. */
  log = "";

  private constructor(paths: PluginPaths, child: ChildProcess) {
    this.paths = paths;
    this.child = child;
    child.stderr?.on("data", (chunk: Buffer) => {
      this.log += chunk.toString("utf8");
    });
  }

  /** Starts it, in place of the process `predecessor`, and waits until it serves Docker's socket. */
  static async start(
    paths: PluginPaths,
    deadlineMs = 10_000,
    predecessor?: number,
  ): Promise<PluginProcess> {
    const script = pluginScript(paths, { deadlineMs }, predecessor);
    const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "inherit", "pipe"] });
    const plugin = new PluginProcess(paths, child);
    const until = performance.now() + START_MS;
    while (!plugin.log.includes('"serving"')) {
      if (child.exitCode !== null) throw new Error(`the plugin ended: ${plugin.log}`);
      if (performance.now() > until) {
        // Left alone it would keep the test's own process alive.
        await plugin.kill();
        throw new Error(`the plugin does not start: ${plugin.log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return plugin;
  }

  /** The body of the answer to one request of Docker. */
  async ask(path: string, body: unknown = {}): Promise<Readonly<Record<string, unknown>>> {
    const answer = await unixRequest({
      socketPath: this.paths.socket,
      method: "POST",
      path,
      body,
      timeoutMs: 120_000,
    });
    if (answer.status !== 200) throw new Error(`status ${answer.status}: ${answer.text}`);
    return answer.body as Readonly<Record<string, unknown>>;
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill(signal);
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.paths.directory, { recursive: true, force: true });
  }
}
