/**
 * For tests: a node whose roles are small stand-ins, started as real processes below a HANSA_ROOT of its own.
 *
 * As a program, `fake-node.ts ROLE` is that role; FAKE_FAILS beside node.json makes the daemon die with a log record.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LaunchOptions, launch } from "./launch.ts";
import { hansaPaths, type Paths, pidFile } from "./paths.ts";
import { readPidFile } from "./pid-file.ts";
import { processList } from "./process-list.ts";
import { runSupervisor } from "./run-supervisor.ts";
import { processByArgv } from "./running-process.ts";
import { stopNode } from "./stop.ts";
import { storeProcess } from "./store-process.ts";
import { ensureSupervisor } from "./supervisor.ts";
import type { ThisHost } from "./this-host.ts";

const PROGRAM: readonly string[] = [process.execPath, import.meta.filename];

/** A host below `root` on which the roles are fakes and Docker is a socket that the test serves, or not. */
export function fakeHost(root: string): ThisHost {
  return {
    paths: hansaPaths({ HANSA_ROOT: root }),
    isRoot: true,
    kernelHasWireguard: true,
    folders: [join(root, "bin")],
    dockerHost: `unix://${join(root, "docker.sock")}`,
    program: PROGRAM,
    processes: () =>
      processList({
        program: PROGRAM,
        tunnel: "none",
        store: storeProcess(hansaPaths({ HANSA_ROOT: root }), [join(root, "bin")]),
      }),
    readyWithinMs: 60_000,
  };
}

/** A fake host with an empty disk, all tools and a Docker without networks; `close` stops what runs and removes it. */
export async function makeFakeHost(): Promise<{
  readonly host: ThisHost;
  readonly root: string;
  close(): Promise<void>;
}> {
  const root = await mkdtemp(join(tmpdir(), "fake-node-"));
  const host = fakeHost(root);
  process.env["HANSA_ROOT"] = root; // Handed on to what the test starts.
  mkdirSync(join(root, "bin"));
  for (const name of ["ip", "nft", "iptables", "wg"]) {
    await writeFile(join(root, "bin", name), "", { mode: 0o755 });
  }
  const docker = createServer((_, answer) => answer.end("[]"));
  docker.listen(join(root, "docker.sock"));
  return {
    host,
    root,
    async close() {
      docker.close();
      docker.closeAllConnections();
      await stopNode(host);
      delete process.env["HANSA_ROOT"];
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** The pid of the process `name`, or undefined. */
export function pidOf(paths: Paths, name: string): number | undefined {
  return readPidFile(pidFile(paths, name))?.pid;
}

/** Resolves to the first answer that is neither undefined nor false. Throws after `withinMs`. */
export async function eventually<T>(
  what: string,
  ask: () => T | Promise<T>,
  withinMs = 60_000,
): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Runs a launch in a process of its own, to be killed at will. The options hold the test's token. */
export function launchApart(options: LaunchOptions): ChildProcess {
  const [node = "", file = ""] = PROGRAM;
  return spawn(node, [file, "launch", JSON.stringify(options)], { stdio: "inherit" });
}

/** How many processes with that role and this root run. */
export function copiesOf(host: ThisHost, role: string): number {
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && isRole(host, pid, role)).length;
}

function isRole(host: ThisHost, pid: string, role: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    return words[2] === role && environment.includes(`HANSA_ROOT=${host.paths.prefix}`);
  } catch {
    return false; // It ended while we looked.
  }
}

/** The running process with that role and this root, found by its command line alone. */
export function findRole(host: ThisHost, role: string): number | undefined {
  return processByArgv([...PROGRAM, role], host.paths.prefix)?.pid;
}

function serve(socket: string, answer: string): void {
  rmSync(socket, { force: true });
  createServer((_, response) => response.end(answer)).listen(socket);
}

async function main(role: string): Promise<void> {
  const root = process.env["HANSA_ROOT"] ?? "";
  if (root === "") throw new Error("HANSA_ROOT is not set");
  // Whatever goes wrong in a test, its processes end with its directory.
  setInterval(() => existsSync(root) || process.exit(0), 500).unref();
  const host = fakeHost(root);
  if (role === "launch") {
    await launch(JSON.parse(process.argv[3] ?? "") as LaunchOptions, host);
  } else if (role === "supervise") {
    process.exitCode = await runSupervisor(host);
  } else if (role === "daemon") {
    if (existsSync(join(root, "FAKE_FAILS"))) {
      const error = readFileSync(join(root, "FAKE_FAILS"), "utf8");
      process.stderr.write(`${JSON.stringify({ level: "error", msg: "cannot start", error })}\n`);
      process.exit(1);
    }
    serve(host.paths.apiSocket, '{"version":"0"}');
    setInterval(() => ensureSupervisor(PROGRAM, host.paths), 200);
  } else {
    serve(host.paths.ipamSocket, "{}");
  }
}

if (import.meta.main) await main(process.argv[2] ?? "");
