/** A cluster's token, or a witness' code, from a file or standard input, one line: the ways that leave no trace in a list of processes. */
import { readFileSync, statSync } from "node:fs";
import { HansaError, isErrno } from "../errors.ts";
import type { Context } from "./command.ts";

const MAX_TOKEN_BYTES = 4096;

/** `file` may be "-" for standard input; `what` is the secret's name: the option is called after it. Throws USAGE. */
export async function readToken(
  file: string,
  context: Context,
  what: "token" | "code" = "token",
): Promise<string> {
  const text = file === "-" ? await context.readStdin(MAX_TOKEN_BYTES) : readTokenFile(file, what);
  const token = text.replace(/\r?\n$/, "");
  const where = file === "-" ? "standard input" : file;
  if (token === "") {
    throw new HansaError("USAGE", `there is no ${what} in ${where}`, {
      hint: `give a file that holds it with --${what}-file FILE, or pipe it in with --${what}-file -`,
    });
  }
  if (/[\r\n]/.test(token)) {
    throw new HansaError("USAGE", `the ${what} in ${where} has more than one line`);
  }
  return token;
}

function readTokenFile(path: string, what: string): string {
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
    throw new HansaError("USAGE", `cannot read the ${what} from ${path}: ${why}`, {
      hint:
        what === "token"
          ? "make one with openssl rand -base64 24 > FILE, the same on all nodes"
          : "hansa qdevice serve shows it on the box",
      cause,
    });
  }
  throw new HansaError(
    "USAGE",
    `${path} is longer than ${MAX_TOKEN_BYTES} bytes: that is no ${what}`,
  );
}
