/**
 * Copies between this machine and a container, by tar archives that nobody holds.
 *
 * Where things go is decided as docker cp does: into a folder that exists under the source's name, else under the name that is given.
 */
import { lstat, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, posix, resolve } from "node:path";
import type { ClientStream } from "../client/client-stream.ts";
import { askContainer } from "../client/container-answers.ts";
import { type FoundPath, isFoundPath } from "../client/container-check.ts";
import { packTar } from "../client/pack-tar.ts";
import { unpackTar } from "../client/unpack-tar.ts";
import { HansaError, isErrno, isHansaError } from "../errors.ts";
import type { Context } from "./command.ts";

interface Place {
  readonly container: string | undefined;
  readonly path: string;
}

/** As Go's os.FileMode has it. */
const GO_FOLDER = 2 ** 31;

/** "web:/etc" is in a container; what begins with a slash or a dot, or has no colon, is here. Pure. */
export function parsePlace(text: string): Place {
  const match = /^[./]/.test(text) ? null : /^([^:]+):(.*)$/s.exec(text);
  if (!match) return { container: undefined, path: text };
  const path = match[2] ?? "";
  return { container: match[1], path: path.startsWith("/") ? path : `/${path}` };
}

/** Out of a container. */
export async function copyOut(
  context: Context,
  container: string,
  source: string,
  destination: string,
): Promise<number> {
  const { path, isContents } = sourceOf(source);
  const target = destination === "-" ? "" : await targetHere(destination, path, isContents);
  const stream = await context.client.stream({
    ...{ method: "GET", path: streamPath(container), open: { path } },
  });
  if (destination === "-") {
    await finished(
      stream,
      `${container}:${path}`,
      "what was written of the archive is cut short",
      async () => {
        for await (const bytes of stream.bytes("stdout"))
          await context.console.write("stdout", bytes);
      },
    );
    return 0;
  }
  let done = 0;
  const said = () =>
    `${done} files and folders are whole in ${target}, and nothing of the rest is there`;
  await finished(stream, `${container}:${path}`, said, async () => {
    const progress = (entries: number): void => {
      done = entries;
    };
    const { skipped } = await unpackTar(stream.bytes("stdout"), { target, progress });
    for (const each of skipped) context.note(`left out ${each}: neither file, folder nor link`);
  });
  return 0;
}

/** Into a container. */
export async function copyIn(
  context: Context,
  source: string,
  container: string,
  destination: string,
): Promise<number> {
  const { path, isContents } = sourceOf(source);
  const isArchive = source === "-";
  const isFolder = !isArchive && (await statHere(path)).isDirectory();
  const { folder, name } = isArchive
    ? { folder: destination, name: "" }
    : await targetThere(context, container, destination, { path, isContents, isFolder });
  const stream = await context.client.stream({
    ...{ method: "POST", path: streamPath(container), open: { path: folder } },
  });
  const skipped = (each: string): void =>
    context.note(`left out ${each}: neither file, folder nor link`);
  const bytes = isArchive ? context.console.input() : packTar(resolve(path), name, skipped);
  await finished(
    stream,
    `${container}:${destination}`,
    "what had arrived until then stays",
    async () => {
      for await (const chunk of bytes) await stream.send("stdin", chunk);
      stream.end("stdin");
    },
  );
  return 0;
}

function streamPath(container: string): string {
  return `/v1/containers/${encodeURIComponent(container)}/archive`;
}

/** Does `work` and waits for the node's word. A break is told with what was done. */
async function finished(
  stream: ClientStream,
  what: string,
  done: string | (() => string),
  work: () => Promise<void>,
): Promise<void> {
  try {
    try {
      // Our input may have nothing for hours, and our output no reader: the node's end is seen all the same.
      const failed = stream.outcome.then(() => new Promise<never>(() => undefined));
      await Promise.race([work(), failed]);
    } catch (error) {
      // When the node ended it, its own words are the reason.
      if (isHansaError(error, "STREAM_LOST")) await stream.outcome;
      throw error;
    }
    await stream.outcome;
  } catch (error) {
    if (!isHansaError(error, "STREAM_LOST")) throw error;
    const text = `the connection was lost while ${what} was copied: ${typeof done === "string" ? done : done()}`;
    throw new HansaError("STREAM_LOST", text, { cause: error });
  } finally {
    stream.close();
  }
}

/** "dir/." means what is in dir. */
function sourceOf(text: string): { readonly path: string; readonly isContents: boolean } {
  const isContents = text === "." || text.endsWith("/.");
  const bare = isContents ? text.slice(0, -1) : text;
  return { path: bare.replace(/(.)\/+$/, "$1") || ".", isContents };
}

async function statHere(path: string): Promise<Awaited<ReturnType<typeof lstat>>> {
  try {
    return await lstat(path);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    throw new HansaError("USAGE", `there is no ${path}`, {
      hint: "name a file or folder that exists",
    });
  }
}

/** Where the source's first name goes on this machine. */
async function targetHere(
  destination: string,
  source: string,
  isContents: boolean,
): Promise<string> {
  const path = resolve(destination);
  const found = await stat(path).catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  });
  if (found?.isDirectory()) {
    const folder = await realpath(path);
    return isContents ? folder : join(folder, posix.basename(source) || "root");
  }
  const parent = await stat(dirname(path)).catch(() => undefined);
  if (
    parent?.isDirectory() !== true ||
    (found === undefined && destination.endsWith("/") && !isContents)
  ) {
    throw new HansaError(
      "USAGE",
      `there is no folder ${destination.endsWith("/") ? path : dirname(path)} to copy into`,
      {
        hint: "make it first",
      },
    );
  }
  return path;
}

/** The folder in the container and the name in it that the source gets. */
async function targetThere(
  context: Context,
  container: string,
  destination: string,
  source: { readonly path: string; readonly isContents: boolean; readonly isFolder: boolean },
): Promise<{ readonly folder: string; readonly name: string }> {
  const ask = (path: string): Promise<FoundPath | null> =>
    askContainer(context.client, container, "path", { path }, isFoundPath);
  let path = posix.normalize(destination).replace(/(.)\/$/, "$1");
  let found = await ask(path);
  if (found !== null && found.linkTarget !== "") {
    path = posix.resolve(posix.dirname(path), found.linkTarget);
    found = await ask(path);
  }
  const isFolder = found !== null && found.mode >= GO_FOLDER;
  if (isFolder && !(source.isFolder && source.isContents)) {
    return { folder: path, name: basename(resolve(source.path)) };
  }
  if (isFolder) return { folder: posix.dirname(path), name: posix.basename(path) || "." };
  const isWrong = found !== null ? source.isFolder : destination.endsWith("/") && !source.isFolder;
  if (isWrong) {
    throw new HansaError("CONTAINER_PATH_NOT_FOUND", `${container}:${destination} is no folder`);
  }
  return { folder: posix.dirname(path), name: posix.basename(path) };
}
