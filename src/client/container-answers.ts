/** What is asked of one container and answered with JSON: once, or again and again. */
import { HansaError } from "../errors.ts";
import type { NodeClient } from "./node-client.ts";

export interface ProcessTable {
  readonly titles: readonly string[];
  readonly processes: readonly (readonly string[])[];
}

/** Bytes, but for the percentage of one processor; as of `readAt`. */
export interface ContainerUsage {
  readonly readAt: string;
  readonly cpuPercent: number;
  readonly memory: number;
  readonly memoryLimit: number;
  readonly received: number;
  readonly sent: number;
  readonly blockRead: number;
  readonly blockWritten: number;
  readonly processes: number;
}

/** A table of processes is smaller by far. */
const MAX_ANSWER = 16 * 1024 * 1024;

/** The one document that `what` of a container is. Throws what refuses it, and STREAM_LOST. */
export async function askContainer<Answer>(
  client: Pick<NodeClient, "stream">,
  container: string,
  what: "top" | "path",
  open: object,
): Promise<Answer> {
  const path = `/v1/containers/${encodeURIComponent(container)}/${what}`;
  const stream = await client.stream({ method: "GET", path, open });
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream.bytes("stdout")) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_ANSWER) throw new HansaError("STREAM_BROKEN", "the answer is too long");
    }
  } catch (error) {
    // The node's own words, where it said some.
    await stream.outcome;
    throw error;
  }
  await stream.outcome;
  return document(Buffer.concat(chunks)) as Answer;
}

export interface NamedUsage {
  /** "host2/web". */
  readonly container: string;
  readonly usage: ContainerUsage;
}

/** What a container uses, once or each second until `signal` aborts or it ends. */
export async function* watchUsage(
  client: Pick<NodeClient, "stream">,
  container: string,
  once: boolean,
  signal: AbortSignal,
): AsyncGenerator<NamedUsage> {
  const path = `/v1/containers/${encodeURIComponent(container)}/stats`;
  const stream = await client.stream({ method: "GET", path, open: { once } });
  const abort = (): void => stream.close();
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    for await (const chunk of stream.bytes("stdout")) {
      const usage = document(chunk) as ContainerUsage;
      yield { container: stream.facts?.container ?? container, usage };
    }
    await stream.outcome;
  } catch (error) {
    if (signal.aborted) return;
    await stream.outcome;
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
    stream.close();
  }
}

function document(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new HansaError("API_ANSWER_INVALID", "the node's answer is no JSON", { cause });
  }
}
