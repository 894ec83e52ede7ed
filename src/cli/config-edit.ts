/**
 * `hansa config edit`: an entry in the user's editor, written in place of what was read.
 *
 * Invariant: what the user wrote is lost in no case: where it cannot be written, it is kept in a file that is named.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { HansaError, isErrno, isHansaError } from "../errors.ts";
import type { Context } from "./command.ts";
import { bytesOf, encoded, MAX_VALUE_BYTES } from "./config-entries.ts";

export async function edit(key: string, context: Context): Promise<number> {
  const { entry } = await context.client.configGet(key, true);
  const before = entry ? bytesOf(entry) : Buffer.alloc(0);
  const dir = await mkdtemp(join(tmpdir(), "hansa-edit-"));
  // Its name's ending tells editors what it is.
  const path = join(dir, basename(key).replaceAll(/[^\w.-]/g, "_") || "entry");
  let isKept = false;
  try {
    await writeFile(path, before, { mode: 0o600 });
    await runEditor(path);
    const after = await readFile(path);
    if (after.equals(before) && entry !== null) {
      context.note("unchanged: nothing was written");
      return 0;
    }
    try {
      await write(key, after, entry?.revision ?? "0", context);
    } catch (error) {
      if (!isHansaError(error)) throw error;
      isKept = true;
      throw new HansaError(error.code, `${error.message}; your text is kept in ${path}`, {
        hint: error.hint,
        cause: error,
      });
    }
    return 0;
  } finally {
    if (!isKept) await rm(dir, { recursive: true, force: true });
  }
}

async function write(
  key: string,
  bytes: Buffer,
  revision: string,
  context: Context,
): Promise<void> {
  if (bytes.length > MAX_VALUE_BYTES) {
    const text = `${key} would have more than ${MAX_VALUE_BYTES} bytes, which is the most that an entry holds`;
    throw new HansaError("USAGE", text);
  }
  const request = { key, ...encoded(bytes), revision };
  const { written, revision: at } = await context.client.configPut(request);
  if (!written) {
    const text = `${key} was changed by somebody else meanwhile: nothing was written`;
    throw new HansaError("CONFIG_CHANGED", text);
  }
  context.note(`Revision ${at}`);
}

/** $VISUAL or $EDITOR, which may have words after the program's name; else vi. */
async function runEditor(path: string): Promise<void> {
  const { VISUAL, EDITOR } = process.env;
  const editor = VISUAL?.trim() || EDITOR?.trim() || "vi";
  const [program = "vi", ...words] = editor.split(/\s+/);
  const child = spawn(program, [...words, path], { stdio: "inherit" });
  try {
    const [code] = (await once(child, "exit")) as [number | null];
    if (code === 0) return;
    throw new HansaError(
      "USAGE",
      `the editor ${program} ended with status ${code}: nothing was written`,
      { hint: "set EDITOR to another one, or write it with hansa config put KEY --file FILE" },
    );
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    throw new HansaError("USAGE", `there is no editor ${program}`, {
      hint: "set EDITOR to one that is here, as in EDITOR=nano hansa config edit KEY",
      cause: error,
    });
  }
}
