/**
 * A real dockerd for tests, in network, mount, host name and process namespaces of its own, and a directory that ends with it.
 *
 * Invariant: nothing of the machine's own Docker, network or /run is seen or touched; killing pid 1 of the namespaces ends all.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemCommand } from "../host/command.ts";
import { HttpEngine } from "./engine-http.ts";

/** $1: the directory. */
const SCRIPT = `
set -e
umount -l /run/netns 2>/dev/null || :
mount -t tmpfs tmpfs /run
mkdir -p /run/lock "$1/etc"
mount --bind "$1/etc" /etc/docker 2>/dev/null || :
ip link set lo up
exec dockerd -H "unix://$1/docker.sock" --data-root "$1/data" --exec-root /run/docker --pidfile /run/docker.pid \\
  --storage-driver vfs --userland-proxy=false --shutdown-timeout 1
`;

/** Why none can be started here, or undefined. */
export async function dockerdImpossible(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "needs root";
  for (const program of ["dockerd", "docker", "unshare", "ip", "busybox"]) {
    const found = await systemCommand.run(["sh", "-c", 'command -v "$1"', "sh", program]);
    if (found.status !== 0) return `needs the program ${program}`;
  }
  const made = await systemCommand.run(["unshare", "-n", "-m", "-u", "-p", "-f", "true"]);
  return made.status === 0 ? undefined : "needs permission to make namespaces";
}

export class DockerdProcess {
  readonly directory: string;
  #child: ChildProcess | undefined;
  #log = "";

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Started, with an image "busybox" in which /bin/busybox sleep works. */
  static async create(): Promise<DockerdProcess> {
    const docker = new DockerdProcess(await mkdtemp(join(tmpdir(), "hansa-dockerd-")));
    try {
      await docker.start();
      await docker.#importImage();
    } catch (error) {
      await docker.remove();
      throw error;
    }
    return docker;
  }

  get socket(): string {
    return join(this.directory, "docker.sock");
  }

  /** Starts it and waits until it answers. */
  async start(): Promise<void> {
    const child = spawn(
      "unshare",
      // biome-ignore format: one option a word
      ["-n", "-m", "-u", "-p", "-f", "--mount-proc", "--kill-child=KILL", "sh", "-c", SCRIPT, "sh", this.directory],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#child = child;
    const keep = (chunk: Buffer): void => {
      this.#log = (this.#log + chunk.toString("utf8")).slice(-20_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const engine = new HttpEngine(this.socket);
    const until = performance.now() + 30_000;
    for (;;) {
      try {
        await engine.info();
        return;
      } catch (error) {
        if (child.exitCode !== null || performance.now() > until) {
          throw new Error(`dockerd does not start: ${this.#log}`, { cause: error });
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** As a crash or a power cut: all of its processes end at once. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    await rm(this.socket, { force: true });
  }

  async docker(...argv: readonly string[]): Promise<string> {
    const host = `unix://${this.socket}`;
    const answer = await systemCommand.run(["docker", "-H", host, ...argv], { timeoutMs: 60_000 });
    if (answer.status !== 0) throw new Error(`docker ${argv.join(" ")}: ${answer.stderr}`);
    return answer.stdout.trim();
  }

  /** Stops it and removes its directory. */
  async remove(): Promise<void> {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  async #importImage(): Promise<void> {
    const root = join(this.directory, "image");
    await mkdir(join(root, "bin"), { recursive: true });
    const path = (await systemCommand.run(["sh", "-c", "command -v busybox"])).stdout.trim();
    await copyFile(path, join(root, "bin/busybox"));
    const tar = join(this.directory, "image.tar");
    const packed = await systemCommand.run(["tar", "-C", root, "-cf", tar, "."]);
    if (packed.status !== 0) throw new Error(`the image cannot be packed: ${packed.stderr}`);
    await this.docker("import", tar, "busybox");
  }
}
