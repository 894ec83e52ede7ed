/** Whether Docker answers, in one request that also tells which subnets it uses. */
import { HansaError } from "../errors.ts";
import { unixRequest } from "../host/unix-http.ts";

/** The answer to GET /networks. Throws DOCKER_UNREACHABLE with the system's reason. */
export async function dockerNetworks(dockerHost: string): Promise<unknown> {
  const socketPath = /^unix:\/\/(\/.+)$/.exec(dockerHost)?.[1];
  if (socketPath === undefined) {
    throw new HansaError(
      "DOCKER_UNREACHABLE",
      `${dockerHost} is not the socket of a local Docker`,
      {
        hint: "unset DOCKER_HOST, or set it to unix:///path/of/docker.sock",
      },
    );
  }
  let reason: string;
  try {
    const answer = await unixRequest({ socketPath, path: "/networks", timeoutMs: 10_000 });
    if (answer.status === 200) return answer.body;
    reason = `it answered with status ${answer.status}`;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    reason = "code" in error ? String(error.code) : error.message;
  }
  const text = `Docker does not answer on ${socketPath} (${REASONS[reason] ?? reason})`;
  throw new HansaError("DOCKER_UNREACHABLE", text);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such socket",
  ECONNREFUSED: "nobody listens",
  EACCES: "permission denied",
  ETIMEDOUT: "no answer in 10 s",
};
