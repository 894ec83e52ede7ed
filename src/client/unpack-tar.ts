/**
 * A tar archive of a container onto this machine.
 *
 * Invariants: nothing is written outside of the place that was asked for, whatever the archive says: no name goes up, and none goes through a
 * symbolic link; bits that lend a user's or group's power are not kept. Holds one piece of one file.
 */
import type { FileHandle } from "node:fs/promises";
import { chmod, link, lstat, lutimes, mkdir, open, rm, symlink, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { HansaError, isErrno } from "../errors.ts";
import {
  decodePax,
  decodeTarHeader,
  TAR_BLOCK,
  type TarEntry,
  type TarExtension,
  tarText,
} from "../streams/tar-header.ts";
import { ByteReader } from "./byte-reader.ts";

export interface Unpacked {
  /** Files, folders and links that are there now, whole. */
  readonly entries: number;
  /** What no copy has: devices, pipes. */
  readonly skipped: readonly string[];
}

export interface UnpackOptions {
  /** Where the archive's first name goes: a path that may exist. Its parent does. */
  readonly target: string;
  /** How many entries are whole so far, for whoever has to tell of a break. */
  readonly progress: (entries: number) => void;
}

const MAX_SKIPPED = 100;

/** Throws ARCHIVE_INVALID for what is no archive, ends early or would write elsewhere, and the system's errors. A file that was cut short is removed. */
export async function unpackTar(
  bytes: AsyncIterable<Buffer>,
  options: UnpackOptions,
): Promise<Unpacked> {
  const reader = new ByteReader(bytes);
  const folders: { readonly path: string; readonly entry: TarEntry }[] = [];
  const skipped: string[] = [];
  let entries = 0;
  let extension: TarExtension = {};
  for (;;) {
    const block = await reader.take(TAR_BLOCK);
    const header = block && decodeTarHeader(block, extension);
    if (header === undefined) throw invalid("it ends early or is no tar archive");
    if (header.kind === "zeros") break;
    if (header.kind === "entry") {
      extension = {};
      const { entry } = header;
      const path = placeOf(entry.name, options.target);
      if (entry.type === "other") {
        if (skipped.length < MAX_SKIPPED) skipped.push(entry.name);
        await reader.skip(padded(entry.size));
        continue;
      }
      await requireRealParents(path, options.target);
      await place(entry, path, options.target, reader);
      if (entry.type === "folder") folders.push({ path, entry });
      entries += 1;
      options.progress(entries);
      continue;
    }
    if (header.kind === "skip") {
      await reader.skip(padded(header.size));
      continue;
    }
    const said = await reader.take(padded(header.size));
    if (said === undefined) throw invalid("it ends early");
    const own = said.subarray(0, header.size);
    if (header.kind === "pax") extension = { ...extension, ...decodePax(own) };
    else if (header.kind === "long-name") extension = { ...extension, name: tarText(own) };
    else extension = { ...extension, target: tarText(own) };
  }
  // Last: one that may not be written to holds what is written before.
  for (const { path, entry } of folders.reverse()) {
    await chmod(path, entry.mode & KEPT_MODE);
    await utimes(path, entry.mtime, entry.mtime);
  }
  await reader.drain();
  return { entries, skipped };
}

const KEPT_MODE = 0o1777;

/** The archive's first name is what was asked for; all others are below it. */
function placeOf(name: string, target: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (name.startsWith("/") || parts.includes("..") || name.includes("\0")) {
    throw invalid(`it names ${JSON.stringify(name)}, which lies outside of it`);
  }
  return join(target, ...parts.slice(1));
}

/** Every folder from `target` down to the one that `path` is in is a folder, and no link to one. */
async function requireRealParents(path: string, target: string): Promise<void> {
  for (let folder = path; folder !== target; ) {
    folder = dirname(folder);
    const found = await lstat(folder).catch((error: unknown) => {
      if (isErrno(error, "ENOENT")) return undefined;
      throw error;
    });
    if (found !== undefined && !found.isDirectory()) {
      throw invalid(`it goes through ${folder}, which is no folder`);
    }
  }
}

async function place(
  entry: TarEntry,
  path: string,
  target: string,
  reader: ByteReader,
): Promise<void> {
  if (entry.type === "folder") {
    const found = await lstat(path).catch(() => undefined);
    if (found?.isDirectory() !== true) await mkdir(path, { recursive: true });
    return;
  }
  await mkdir(dirname(path), { recursive: true });
  // A file is replaced, also one that others have open; a folder is not.
  await rm(path, { force: true });
  if (entry.type === "symlink") {
    await symlink(entry.target, path);
    await lutimes(path, entry.mtime, entry.mtime);
  } else if (entry.type === "hardlink") {
    const other = placeOf(entry.target, target);
    await requireRealParents(other, target);
    if (!(await lstat(other)).isFile()) throw invalid(`${other} is no file to link to`);
    await link(other, path);
  } else {
    await writeFile(entry, path, reader);
  }
}

async function writeFile(entry: TarEntry, path: string, reader: ByteReader): Promise<void> {
  const file = await open(path, "wx", 0o600);
  let isWhole = false;
  try {
    await copy(entry.size, reader, file);
    await file.chmod(entry.mode & KEPT_MODE);
    await file.utimes(entry.mtime, entry.mtime);
    isWhole = true;
  } finally {
    await file.close();
    if (!isWhole) await rm(path, { force: true });
  }
  await reader.skip(padded(entry.size) - entry.size);
}

async function copy(size: number, reader: ByteReader, file: FileHandle): Promise<void> {
  for (let left = size; left > 0; ) {
    const piece = await reader.some(left);
    if (piece === undefined) throw invalid("it ends early");
    for (let at = 0; at < piece.length; ) {
      at += (await file.write(piece, at)).bytesWritten;
    }
    left -= piece.length;
  }
}

function padded(size: number): number {
  return Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
}

function invalid(why: string): HansaError {
  return new HansaError("ARCHIVE_INVALID", `the archive is not unpacked any further: ${why}`);
}
