/**
 * The log of one container, on through breaks: when the connection is lost, another one is made, perhaps through another node, and goes on where the
 * last one was.
 *
 * Invariant: no line twice and none left out, as long as the container's log is there.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { HansaError, isErrno, isHansaError } from "../errors.ts";
import { decodeLogMessage, dockerTime, nanosOf } from "../streams/log-message.ts";
import type { ClientStream } from "./client-stream.ts";
import { LogPosition } from "./log-position.ts";
import type { NodeClient } from "./node-client.ts";

export interface LogLine {
  /** "host2/web". */
  readonly container: string;
  readonly kind: "stdout" | "stderr";
  /** As Docker wrote it. */
  readonly at: string;
  readonly nanos: bigint;
  /** With its line's end, if it has one. */
  readonly text: Buffer;
}

export interface ReadLogOptions {
  readonly follow: boolean;
  /** Seconds since 1970; empty for the first. */
  readonly since: string;
  readonly until: string;
  readonly tail: number | undefined;
  readonly signal: AbortSignal;
  /** Told in one sentence when it has to try again. */
  readonly note: (sentence: string) => void;
  readonly patience?: { readonly againMs: number; readonly giveUpMs: number };
}

/** Between two tries; and how long without any a log is waited for: a host that starts anew takes a minute. */
const PATIENCE = { againMs: 500, giveUpMs: 120_000 };
/** After which another connection may help. */
const LOST = [
  "CONTEXT_UNREACHABLE",
  "DOCKER_UNREACHABLE",
  "NODE_NOT_RUNNING",
  "NODE_UNREACHABLE",
  "STREAM_LOST",
] as const;

/** Its lines until it ends or `signal` aborts. Throws STREAM_LOST when it cannot be had any more, and whatever code refuses it. */
export async function* readLog(
  client: Pick<NodeClient, "stream">,
  container: string,
  options: ReadLogOptions,
): AsyncGenerator<LogLine> {
  const { signal, note, patience = PATIENCE } = options;
  const reader = new LogReader(client, container, options);
  let failingSinceMs: number | undefined;
  while (!signal.aborted) {
    try {
      for await (const line of reader.connection()) {
        failingSinceMs = undefined;
        yield line;
      }
      return;
    } catch (error) {
      if (signal.aborted) return;
      // What was never reached is refused at once: nothing is lost by asking again.
      if (!isLost(error) || !reader.wasReached) throw error;
      const nowMs = performance.now();
      const { label, upTo } = reader;
      if (failingSinceMs === undefined) {
        failingSinceMs = nowMs;
        note(`the connection to the log of ${label} was lost${upTo}; trying again`);
      } else if (nowMs - failingSinceMs > patience.giveUpMs) {
        const text = `the log of ${label} could not be reached again within ${patience.giveUpMs / 1_000} s${upTo}`;
        throw new HansaError("STREAM_LOST", text, { cause: error });
      }
      await pause(patience.againMs, signal);
    }
  }
}

class LogReader {
  readonly #client: Pick<NodeClient, "stream">;
  readonly #options: ReadLogOptions;
  readonly #path: string;
  readonly #position = new LogPosition();
  /** The node's clock when the first connection was made. */
  #openedAt: string | undefined;
  label: string;
  wasReached = false;

  constructor(client: Pick<NodeClient, "stream">, container: string, options: ReadLogOptions) {
    this.#client = client;
    this.#options = options;
    this.#path = `/v1/containers/${encodeURIComponent(container)}/logs`;
    this.label = container;
  }

  /** For messages: what was shown. */
  get upTo(): string {
    const { latest } = this.#position;
    if (latest === undefined) return " before its first line";
    return `; shown are its lines up to ${new Date(Number(latest / 1_000_000n)).toISOString()}`;
  }

  /** What one connection brings that is news. Rejects when it is lost. */
  async *connection(): AsyncGenerator<LogLine> {
    const { signal } = this.#options;
    const stream = await this.#client.stream({
      method: "GET",
      path: this.#path,
      open: this.#ask(),
    });
    this.wasReached = true;
    const abort = (): void => stream.close();
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    // A message that is passed over takes its parts with it.
    let last: LogLine | undefined;
    try {
      for await (const frame of stream.bytes("stdout")) {
        this.#learn(stream);
        const message = decodeLogMessage(frame);
        if (message === undefined) {
          throw new HansaError("STREAM_BROKEN", "the node sent a log's message that is none");
        }
        if (message.isMore) {
          if (last) yield { ...last, text: message.text };
          continue;
        }
        const isNews = this.#position.take(message);
        const { kind, at, text } = message;
        last = isNews ? { container: this.label, kind, at, nanos: nanosOf(at), text } : undefined;
        if (last) yield last;
      }
      await stream.outcome;
    } finally {
      this.#learn(stream);
      signal.removeEventListener("abort", abort);
      stream.close();
    }
  }

  #learn({ facts }: ClientStream): void {
    if (facts === undefined) return;
    this.label = facts.container;
    const { now } = facts as { now?: unknown };
    if (typeof now === "string") this.#openedAt ??= now;
  }

  #ask(): object {
    const { follow, since, until, tail } = this.#options;
    const resumed = this.#position.resume();
    const common = { follow, until };
    if (resumed !== undefined) return { ...common, since: resumed };
    // Nothing was shown yet: what was written since the first connection is news, whatever the tail.
    const opened = this.#openedAt;
    if (tail === 0 && opened !== undefined)
      return { ...common, since: dockerTime(nanosOf(opened)) };
    return { ...common, since, ...(tail === undefined ? {} : { tail }) };
  }
}

function isLost(error: unknown): boolean {
  return (
    LOST.some((code) => isHansaError(error, code)) ||
    ["ECONNRESET", "ECONNREFUSED", "EPIPE", "ENOENT"].some((errno) => isErrno(error, errno))
  );
}

/** Over at once when `signal` aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
