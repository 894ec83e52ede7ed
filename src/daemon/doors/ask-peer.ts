/** One question of this node's own to another one's API, and its whole answer. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { nodePath } from "../../api/node-path.ts";
import { isFailure } from "../../client/failure.ts";
import { ERRORS, type ErrorCode, HansaError } from "../../errors.ts";
import type { OtherNode, PeerRequests } from "./peer-requests.ts";

export interface PeerQuestion {
  readonly method: "GET" | "POST";
  /** Beginning with /v1/. */
  readonly path: `/v1/${string}`;
  readonly body?: unknown;
  /** For all of it. */
  readonly timeoutMs: number;
}

const MAX_ANSWER_BYTES = 1024 * 1024;

/**
 * What `node` answers, of whatever shape. Throws NODE_UNREACHABLE when it does not, in time or at all, and otherwise with the code that it refuses with; a
 * code that we do not know counts as not answered.
 */
export async function askPeer(
  peers: Pick<PeerRequests, "request" | "unreachable">,
  node: Pick<OtherNode, "id" | "name">,
  { method, path, body, timeoutMs }: PeerQuestion,
): Promise<unknown> {
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers =
    bytes && ({ "content-type": "application/json", "content-length": bytes.length } as const);
  const ending = new AbortController();
  const made = peers.request(node, {
    ...{ method, path: nodePath(node.id, path), headers: headers ?? {} },
    failed: (reason) => ending.abort(new Error(reason)),
  });
  if (made instanceof HansaError) throw made;
  const timer = setTimeout(
    () => ending.abort(new Error(`no answer within ${timeoutMs / 1000} s`)),
    timeoutMs,
  );
  ending.signal.addEventListener("abort", () => made.destroy(ending.signal.reason as Error));
  try {
    made.end(bytes);
    const [response] = (await once(made, "response")) as [IncomingMessage];
    const answer: unknown = JSON.parse(await textOf(response));
    if (response.statusCode === 200) return answer;
    throw refusal(answer) ?? new Error(`it answered with status ${response.statusCode}`);
  } catch (error) {
    if (error instanceof HansaError) throw error;
    throw peers.unreachable(node, error);
  } finally {
    clearTimeout(timer);
    made.destroy();
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error("its answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function refusal(answer: unknown): HansaError | undefined {
  if (!isFailure(answer)) return undefined;
  const { code, message, hint } = answer.error;
  return Object.hasOwn(ERRORS, code)
    ? new HansaError(code as ErrorCode, message, { hint })
    : undefined;
}
