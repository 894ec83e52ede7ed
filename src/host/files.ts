/**
 * Files of our own state: written whole or not at all, and on disk before the caller goes on.
 *
 * Invariant: a reader sees the old bytes or the new ones, also after a power cut at any moment.
 */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { cp, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { HansaError, isErrno } from "../errors.ts";
import { uniqueName } from "./unique-name.ts";

/** Anything that turns an unknown value into a T or throws, such as a zod schema. */
export interface Schema<T> {
  parse(value: unknown): T;
}

/**
 * Replaces `path` by `data`: temporary file beside it, fsync, rename, fsync of the directory.
 *
 * `mode` is exact (the umask does not apply). Throws STATE_UNWRITABLE for a disk that is full, read-only or failing; other system errors
 * pass through. The old file is then untouched.
 */
export async function atomicWrite(
  path: string,
  data: string | Uint8Array,
  mode: number,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${uniqueName()}.tmp`);
  try {
    const file = await open(temporary, "wx", mode);
    try {
      await file.chmod(mode);
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {
      // What kept the file from being written keeps it from being removed too, and is what is told.
    });
    throw unwritable(path, error);
  }
  await syncDirectory(dirname(path));
}

/** Makes renames and removals inside `path` survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** The bytes of `path`, or undefined when there is no such file. Other system errors pass through. */
export async function readIfExists(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/**
 * Makes the directory and its parents; `mode` goes to those newly made, and exactly to `path` itself when it is new. Throws as atomicWrite.
 */
export async function ensureDir(path: string, mode: number): Promise<void> {
  const first = await makeDirs(path, mode);
  if (first === undefined) return;
  const directory = await open(path, "r");
  try {
    await directory.chmod(mode);
  } finally {
    await directory.close();
  }
}

async function makeDirs(path: string, mode: number): Promise<string | undefined> {
  try {
    return await mkdir(path, { recursive: true, mode });
  } catch (error) {
    // On a read-only disk the recursive mkdir says ENOENT; the plain one says why.
    const cause = isErrno(error, "ENOENT") ? await plainMkdirError(path, mode) : error;
    throw unwritable(path, cause ?? error);
  }
}

async function plainMkdirError(path: string, mode: number): Promise<unknown> {
  try {
    await mkdir(path, mode);
    return undefined;
  } catch (error) {
    return error;
  }
}

const UNWRITABLE = {
  ENOSPC: "no space left on the disk",
  EDQUOT: "the disk quota is used up",
  EROFS: "the disk is read-only",
  EIO: "the disk fails",
};

/** One sentence in place of the system's code, where the disk is to blame. */
function unwritable(path: string, error: unknown): unknown {
  const why = Object.entries(UNWRITABLE).find(([errno]) => isErrno(error, errno))?.[1];
  if (why === undefined) return error;
  return new HansaError("STATE_UNWRITABLE", `${path} cannot be written: ${why}`, { cause: error });
}

/**
 * The JSON value in `path` passed through `schema`, or undefined when there is no such file.
 *
 * Throws STATE_DAMAGED, naming the file, when it is not JSON or the schema refuses it. The text itself is not quoted: it may be secret.
 */
export async function readJson(path: string): Promise<unknown>;
export async function readJson<T>(path: string, schema: Schema<T>): Promise<T | undefined>;
export async function readJson(path: string, schema?: Schema<unknown>): Promise<unknown> {
  const bytes = await readIfExists(path);
  if (bytes === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // The parser's own error quotes the text, so it is not kept as the cause.
    throw new HansaError("STATE_DAMAGED", `${path} is not JSON (${bytes.length} bytes)`);
  }
  if (schema === undefined) return value;
  try {
    return schema.parse(value);
  } catch (cause) {
    throw new HansaError("STATE_DAMAGED", `${path} does not have the form that hansa writes`, {
      cause,
    });
  }
}

/** `atomicWrite` for a process that must not do anything else meanwhile; returns when all is on disk. */
export function atomicWriteSync(path: string, data: string | Uint8Array, mode: number): void {
  const temporary = join(dirname(path), `.${basename(path)}.${uniqueName()}.tmp`);
  try {
    const file = openSync(temporary, "wx", mode);
    try {
      fchmodSync(file, mode);
      writeFileSync(file, data);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // As above: the first error is the one to tell.
    }
    throw unwritable(path, error);
  }
  const directory = openSync(dirname(path), "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/**
 * Moves a folder to `to`, where nothing is yet, also to another file system: copied there under another name first, so that what is at `to` is whole. `renamed`: the
 * system's call, by default.
 */
export async function moveFolder(from: string, to: string, renamed = rename): Promise<void> {
  try {
    await renamed(from, to);
  } catch (error) {
    if (!isErrno(error, "EXDEV")) throw error;
    const part = join(dirname(to), `.${basename(to)}.tmp`);
    await rm(part, { recursive: true, force: true });
    await cp(from, part, { recursive: true, preserveTimestamps: true });
    await rename(part, to);
    await rm(from, { recursive: true, force: true });
  }
}
