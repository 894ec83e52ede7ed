/**
 * Whether this host's node does its work, seen from outside: by its daemon's API and Docker's socket of its address plugin.
 *
 * The answers of builds of any version are read, so only what all have is asked for.
 */
import { unixRequest } from "../host/unix-http.ts";
import type { Paths } from "../processes/paths.ts";

export interface Health {
  /** "version+revision" of the daemon that answers; undefined when none does. */
  readonly build: string | undefined;
  /** The plugin answers Docker. */
  readonly plugin: boolean;
  /** It can give addresses. */
  readonly ready: boolean;
  /** Connections to other nodes that stand. */
  readonly established: number;
}

/** How the node is at this moment. Never throws: what does not answer is not healthy. */
export async function healthOf(paths: Paths): Promise<Health> {
  const api = (path: string): Promise<unknown> => answer({ socketPath: paths.apiSocket, path });
  const [version, status, plugin] = await Promise.all([
    api("/v1/version"),
    api("/v1/status"),
    answer({
      socketPath: paths.ipamSocket,
      method: "POST",
      path: "/IpamDriver.GetCapabilities",
      body: {},
    }),
  ]);
  const { version: number, revision } = fields(version);
  const { ipam, connections } = fields(status);
  const rows: readonly unknown[] = Array.isArray(connections) ? connections : [];
  return {
    build: typeof number === "string" ? `${number}+${revision}` : undefined,
    plugin: plugin !== undefined,
    ready: fields(ipam)["ready"] === true,
    established: rows.filter((row) => fields(row)["state"] === "established").length,
  };
}

/**
 * What is missing for `now` to be as good as `before` under the build `wanted`, as a sentence; undefined when nothing is. Pure.
 *
 * Of the connections one must stand again where there was one: others may have gone for reasons of their own.
 */
export function missingHealth(now: Health, before: Health, wanted: string): string | undefined {
  if (now.build === undefined) return "the daemon does not answer";
  if (now.build !== wanted) return `the daemon is of the build ${now.build}, not ${wanted}`;
  if (!now.plugin && before.plugin) return "the address plugin does not answer";
  if (!now.ready && before.ready) return "the node cannot give out addresses";
  if (now.established === 0 && before.established > 0)
    return "no connection to another node stands";
  return undefined;
}

async function answer(request: Parameters<typeof unixRequest>[0]): Promise<unknown> {
  try {
    const { status, body } = await unixRequest({ ...request, timeoutMs: 2000 });
    return status === 200 ? body : undefined;
  } catch {
    return undefined; // Whatever keeps it from answering, it does not answer.
  }
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
