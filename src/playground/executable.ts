/** The executable that all hosts of a playground start with: one file of its own, whatever is built or removed later. */
import { copyFile, link, mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "../errors.ts";
import { playgroundDir } from "./layout.ts";

/**
 * Puts `binary` as `hansa`, with the links `overnode` and `pvecm`, into a folder that hosts have below their /usr/local/bin; its path there, or "" for
 * none. A hard link where that is possible, so that it costs no time and all share its memory.
 */
export async function placeExecutable(name: string, binary: string): Promise<string> {
  if (binary === "") return "";
  const folder = join(playgroundDir(name), "bin");
  const path = join(folder, "hansa");
  await mkdir(folder, { recursive: true });
  await rm(path, { force: true });
  try {
    await link(binary, path);
  } catch (error) {
    if (!["EXDEV", "EPERM", "EMLINK"].some((errno) => isErrno(error, errno))) throw error;
    await copyFile(binary, path);
  }
  for (const name of ["overnode", "pvecm"]) await symlink("hansa", join(folder, name));
  return path;
}
