/**
 * Listening on a unix socket: handed over by systemd, or bound by ourselves.
 *
 * Invariant: the socket is never open to others, not even between bind and chmod; a live socket is refused, never stolen.
 */
import { lstatSync, unlinkSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { type ErrorCode, HansaError, isErrno } from "../errors.ts";

/** The first descriptor that systemd hands over. */
const FIRST_HANDED = 3;

/** The descriptor of a socket that was handed to this very process (sd_listen_fds), or undefined. */
export function handedSocket(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | undefined {
  // Children inherit the variables but not the meaning: hence the process id.
  if (env["LISTEN_PID"] !== String(pid)) return undefined;
  return Number(env["LISTEN_FDS"]) >= 1 ? FIRST_HANDED : undefined;
}

export interface ListenOptions {
  /** A listening socket that systemd handed over; then nothing is bound. */
  readonly handed?: number | undefined;
  /** The code for a path that another process serves; default SOCKET_TAKEN. */
  readonly taken?: ErrorCode;
}

/**
 * Listens on `path` (directory 0755, socket 0600), or on the handed socket.
 * Throws SOCKET_TAKEN (or `taken`) when another process answers on `path`, STATE_UNWRITABLE when something that is no socket lies there.
 */
export async function listenUnix(
  server: Server,
  path: string,
  { handed, taken = "SOCKET_TAKEN" }: ListenOptions = {},
): Promise<void> {
  if (handed === undefined) {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    if ((await requireNoListener(path, taken)) === "stale") unlinkSync(path);
  }
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  // bind happens inside listen(), so the mask need not outlive the call.
  const mask = process.umask(0o177);
  try {
    server.listen(handed === undefined ? { path } : { fd: handed }, resolve);
  } finally {
    process.umask(mask);
  }
  await promise;
  server.off("error", reject);
}

/**
 * What lies at `path`: nothing, or a socket that nobody listens on. Throws SOCKET_TAKEN (or `taken`) when somebody does, STATE_UNWRITABLE when
 * it is no socket.
 */
export async function requireNoListener(
  path: string,
  taken: ErrorCode = "SOCKET_TAKEN",
): Promise<"none" | "stale"> {
  const { promise, resolve, reject } = Promise.withResolvers<"live" | "stale" | "none">();
  const probe = connect(path);
  probe.once("connect", () => resolve("live"));
  probe.once("error", (error) => {
    if (isErrno(error, "ENOENT")) resolve("none");
    else if (isErrno(error, "ECONNREFUSED")) resolve("stale");
    // A listener whose queue is full is alive all the same.
    else if (isErrno(error, "EAGAIN")) resolve("live");
    else reject(error);
  });
  const found = await promise.finally(() => probe.destroy());
  if (found === "live") throw new HansaError(taken, `another process serves ${path}`);
  if (found === "none") return "none";
  // connect() refuses plain files with the same errno; those are somebody's data.
  if (!lstatSync(path).isSocket()) {
    throw new HansaError("STATE_UNWRITABLE", `${path} is in the way: it is no socket`, {
      hint: `move ${path} away`,
    });
  }
  return "stale";
}
