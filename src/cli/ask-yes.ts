/** A question at the terminal that is answered by y or anything else. */
import { createInterface } from "node:readline/promises";

/** True for y or yes; false for any other answer, and undefined where nobody can be asked. */
export async function askYes(question: string): Promise<boolean | undefined> {
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) return undefined;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}
