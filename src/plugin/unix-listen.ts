/**
 * Listening on a unix socket: handed over by systemd, or bound by ourselves.
 *
 * Invariant: the socket is never open to others, not even between bind and chmod; a live socket is refused, never stolen.
 */
import { unlinkSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { HansaError, isErrno } from "../errors.ts";

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

/**
 * Listens on `path` (directory 0755, socket 0600), or on `handed` when given.
 * Throws SOCKET_TAKEN when another process answers on `path`.
 */
export async function listenUnix(server: Server, path: string, handed?: number): Promise<void> {
  if (handed === undefined) {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await removeStale(path);
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

/** Removes a socket that nobody listens on. */
async function removeStale(path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const probe = connect(path);
  probe.once("connect", () => resolve(true));
  probe.once("error", (error) => {
    // A listener whose queue is full is alive all the same.
    if (isErrno(error, "EAGAIN")) resolve(true);
    else if (isErrno(error, "ENOENT") || isErrno(error, "ECONNREFUSED")) resolve(false);
    else reject(error);
  });
  const live = await promise.finally(() => probe.destroy());
  if (live) throw new HansaError("SOCKET_TAKEN", `another process serves ${path}`);
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}
