/** How another role of this very program is started. */
import { join } from "node:path";
import { isSea } from "node:sea";

/** The words before a role's name: the single executable, or Node and the sources' entry file. */
export function thisProgram(): readonly string[] {
  if (isSea()) return [process.execPath];
  return [process.execPath, join(import.meta.dirname, "../main.ts")];
}
