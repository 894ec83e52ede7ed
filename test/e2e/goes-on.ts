/**
 * Traffic between two containers while the network under it changes: packets at a fixed pace, which say how long nothing passed, and one HTTP
 * answer without end, which says that connections outlive it.
 */
import assert from "node:assert/strict";
import type { Host } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import { eventually, must, type Served } from "./cluster.ts";

/** From the cut until packets pass again. */
const MOVED_WITHIN_MS = 1_000;
/** TCP itself sends again 0.2, 0.6 and 1.4 s after a loss: a way that is back at 0.65 s is used at 1.4 s. */
const STREAM_WITHIN_MS = 2_400;
const PAGE = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
while echo on; do usleep 40000; done
`;

/** Gives a container of `served` the page that never ends. */
export async function endlessPage({ host, name }: Served): Promise<void> {
  const write = `mkdir -p /cgi-bin; printf '%s' "$0" > /cgi-bin/on; chmod +x /cgi-bin/on`;
  await must(host, "docker", "exec", name, "sh", "-c", write, PAGE);
}

/** Something that prints a line for each sign of life, and the longest it was silent. */
class Pulse {
  #last = fairNow();
  #longest = 0;
  #wallLast = performance.now();
  #wallLongest = 0;
  #count = 0;
  #ended = false;
  readonly #process: Awaited<ReturnType<Host["spawn"]>>;

  static async start(from: Served, ...argv: readonly string[]): Promise<Pulse> {
    const pulse = new Pulse(await from.host.spawn(["docker", "exec", from.name, ...argv]));
    await pulse.beats();
    return pulse;
  }

  private constructor(process: Awaited<ReturnType<Host["spawn"]>>) {
    this.#process = process;
    process.stdout.on("data", () => {
      const now = fairNow();
      this.#longest = Math.max(this.#longest, now - this.#last);
      this.#last = now;
      const wall = performance.now();
      this.#wallLongest = Math.max(this.#wallLongest, wall - this.#wallLast);
      this.#wallLast = wall;
      this.#count += 1;
    });
    process.on("exit", () => {
      this.#ended = true;
    });
  }

  async beats(): Promise<void> {
    const seen = this.#count;
    await eventually("packets pass", 20_000, async () => {
      assert.ok(!this.#ended, "the connection broke");
      return this.#count > seen + 10 ? true : undefined;
    });
  }

  measure(): void {
    this.#longest = 0;
    this.#wallLongest = 0;
  }

  async longest(): Promise<number> {
    await this.beats();
    return this.#longest;
  }

  /** Of a machine at rest, and by the clock. */
  toString(): string {
    return `${Math.round(this.#longest)} ms (${Math.round(this.#wallLongest)} by the clock)`;
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }
}

/** Packets and one HTTP answer without end from container `from` to `to`, while `change` is done. */
export async function goesOn(
  what: string,
  from: Served,
  to: Served,
  change: () => Promise<void>,
): Promise<void> {
  const packets = await Pulse.start(from, "ping", "-i", "0.05", to.address);
  const stream = await Pulse.start(from, "wget", "-qO-", `http://${to.address}/cgi-bin/on`);
  try {
    packets.measure();
    stream.measure();
    await change();
    const [gap, pause] = [await packets.longest(), await stream.longest()];
    const line = `${what}: packets ${packets}, stream ${stream}\n`;
    process.stdout.write(line);
    assert.ok(gap < MOVED_WITHIN_MS, line);
    assert.ok(pause < STREAM_WITHIN_MS, line);
  } finally {
    packets.stop();
    stream.stop();
  }
}
