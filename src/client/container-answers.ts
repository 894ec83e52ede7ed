/** What is asked of one container and answered with JSON: once, or again and again. */
import { HansaError } from "../errors.ts";
import type { ContainerUsage } from "../values/container-usage.ts";
import { isContainerUsage } from "./container-check.ts";
import type { NodeClient } from "./node-client.ts";
import type { Check } from "./shape.ts";

/** A table of processes is smaller by far. */
const MAX_ANSWER = 16 * 1024 * 1024;

/** The one document that `what` of a container is. Throws what refuses it, API_ANSWER_INVALID, and STREAM_LOST. */
export async function askContainer<Answer>(
  client: Pick<NodeClient, "stream">,
  container: string,
  what: "top" | "path",
  open: object,
  check: Check<Answer>,
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
  return documentOf(Buffer.concat(chunks), check, what);
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
      const usage = documentOf(chunk, isContainerUsage, "stats");
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

function documentOf<T>(bytes: Buffer, check: Check<T>, what: string): T {
  const answer = parsed(bytes);
  if (check(answer)) return answer;
  throw new HansaError("API_ANSWER_INVALID", `the node's answer about ${what} is malformed`);
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new HansaError("API_ANSWER_INVALID", "the node's answer is no JSON", { cause });
  }
}
