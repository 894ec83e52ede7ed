/**
 * A unix socket that a successor can take over by its path, without a moment in which nobody listens there.
 *
 * It is bound by a name of its own and then moved to its path, over whatever is there. Who asks from then on waits with the
 * successor; the predecessor answers those it has. Invariant: a socket is never open to others than root, not even between bind and move,
 * and closing it never takes away a path that a successor holds by now.
 */
import { linkSync, lstatSync, mkdirSync, renameSync, rmSync } from "node:fs";
import type { Server } from "node:net";
import { dirname } from "node:path";
import { requireNoListener } from "./unix-listen.ts";

export interface ReplaceableSocket {
  /** To be called once the predecessor has ended: one of an older build takes its path away then, also when it is ours by now. */
  restore(): void;
  /** Takes the path away, when it still is ours. The listener itself is the caller's to close. */
  remove(): void;
}

/**
 * Listens at `path` (directory 0755, socket 0600), in place of a predecessor where `replaces` is true. Otherwise throws as listenUnix
 * when another process answers there.
 */
export async function listenReplaceable(
  server: Server,
  path: string,
  { replaces = false }: { readonly replaces?: boolean } = {},
): Promise<ReplaceableSocket> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  if (!replaces) await requireNoListener(path);
  const own = `${path}.${process.pid}`;
  const moving = `${own}.moving`;
  rmSync(own, { force: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  // bind happens inside listen(), so the mask need not outlive the call.
  const mask = process.umask(0o177);
  try {
    server.listen({ path: own }, resolve);
  } finally {
    process.umask(mask);
  }
  await promise;
  server.off("error", reject);
  const { dev, ino } = lstatSync(own);
  const isOurs = (): boolean => {
    const there = lstatSync(path, { throwIfNoEntry: false });
    return there?.ino === ino && there.dev === dev;
  };
  const place = (): void => {
    rmSync(moving, { force: true });
    linkSync(own, moving);
    renameSync(moving, path);
    // Two names of one socket: rename would leave both when they are one file already.
    rmSync(moving, { force: true });
  };
  const forgetName = (): void => rmSync(own, { force: true });
  place();
  if (!replaces) forgetName();
  return {
    restore() {
      if (replaces && !isOurs()) place();
      forgetName();
    },
    remove() {
      if (isOurs()) rmSync(path, { force: true });
      forgetName();
    },
  };
}
