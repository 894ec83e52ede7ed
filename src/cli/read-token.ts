/** A cluster's token from a file or standard input, one line: the ways that leave no trace in a list of processes. */
import { readFileSync, statSync } from "node:fs";
import { HansaError, isErrno } from "../errors.ts";
import type { Context } from "./command.ts";

const MAX_TOKEN_BYTES = 4096;

/** `file` may be "-" for standard input. Throws USAGE. */
export async function readToken(file: string, context: Context): Promise<string> {
  const text = file === "-" ? await context.readStdin(MAX_TOKEN_BYTES) : readTokenFile(file);
  const token = text.replace(/\r?\n$/, "");
  const where = file === "-" ? "standard input" : file;
  if (token === "") throw new HansaError("USAGE", `there is no token in ${where}`);
  if (/[\r\n]/.test(token)) {
    throw new HansaError("USAGE", `the token in ${where} has more than one line`);
  }
  return token;
}

function readTokenFile(path: string): string {
  try {
    const { size } = statSync(path);
    if (size <= MAX_TOKEN_BYTES) return readFileSync(path, "utf8");
  } catch (cause) {
    const known: readonly (readonly [string, string])[] = [
      ["ENOENT", "there is no such file"],
      ["EACCES", "permission denied"],
      ["EISDIR", "it is a directory"],
    ];
    const why = known.find(([errno]) => isErrno(cause, errno))?.[1];
    if (why === undefined) throw cause;
    throw new HansaError("USAGE", `cannot read the token from ${path}: ${why}`, {
      hint: "make one with openssl rand -base64 24 > FILE, the same on all nodes",
      cause,
    });
  }
  throw new HansaError(
    "USAGE",
    `${path} is longer than ${MAX_TOKEN_BYTES} bytes: that is no token`,
  );
}
