/** The name that the program was called by: through a symlink of a predecessor's name it speaks as that. Pure. */
import { basename } from "node:path";
import { PROGRAM_NAMES, type ProgramName } from "./command.ts";

/**
 * The first of these paths with a name that we know, otherwise "hansa". Pass argv[0] and the script's path: one of them is what was called,
 * whether the program runs as one executable or as a script.
 */
export function programName(...paths: readonly (string | undefined)[]): ProgramName {
  for (const path of paths) {
    const name = basename(path ?? "");
    const known = PROGRAM_NAMES.find((candidate) => candidate === name);
    if (known !== undefined) return known;
  }
  return "hansa";
}
