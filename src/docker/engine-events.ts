/**
 * The Engine's event stream, mended: reconnects by itself and says where there may be a gap.
 *
 * Invariant: the first event is a resync, and so is the first after each loss; events that happened between the loss and the
 * reconnect are asked for again (`since`), those that were delivered already may come twice.
 */
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs, LOCAL_BACKOFF } from "../host/backoff.ts";
import { unixStream } from "../host/unix-http.ts";
import type { EngineEvent } from "./engine.ts";
import { toEvent } from "./engine-json.ts";

const FILTERS = encodeURIComponent(JSON.stringify({ type: ["container", "network", "image"] }));
const MAX_LINE = 1024 * 1024;

/** `prefix` gives the versioned path once the Engine answers, and throws while it does not. */
export async function* mendedEvents(
  socketPath: string,
  prefix: () => Promise<string>,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent> {
  let lastMs = 0;
  let attempt = 0;
  while (!signal.aborted) {
    let connected = false;
    try {
      const since = lastMs > 0 ? `&since=${(lastMs / 1000).toFixed(3)}` : "";
      const path = `${await prefix()}/events?filters=${FILTERS}${since}`;
      const stream = await unixStream({ socketPath, path, signal });
      if (stream.statusCode !== 200) {
        stream.destroy();
        throw new Error(`the event stream was refused with status ${stream.statusCode}`);
      }
      connected = true;
      attempt = 0;
      yield { kind: "resync" };
      for await (const event of eventsOf(stream)) {
        lastMs = Math.max(
          lastMs,
          event.kind === "resync" || event.kind === "lost" ? 0 : event.timeMs,
        );
        yield event;
      }
    } catch (error) {
      // Any failure is a gap that the next resync covers; who needs the reason asks info().
      if (!(error instanceof Error)) throw error;
    }
    if (signal.aborted) return;
    if (connected) yield { kind: "lost" };
    await pause(backoffMs(LOCAL_BACKOFF, attempt++, Math.random()), signal);
  }
}

async function* eventsOf(stream: NodeJS.ReadableStream): AsyncGenerator<EngineEvent> {
  for await (const line of createInterface({
    input: stream,
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    if (line === "" || line.length > MAX_LINE) continue;
    const event = toEvent(JSON.parse(line));
    if (event) yield event;
  }
}

/** Over at once when `signal` aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
