/**
 * How a failure looks: one sentence, a hint, the trailer, and the exit status of its code. Never a stack, except with --debug.
 */
import { ERRORS, HansaError } from "../errors.ts";

export interface FailureReport {
  /** For standard error, each without the program's name. */
  readonly lines: readonly string[];
  readonly exit: number;
}

/** The report of `error`. Pure. */
export function reportError(error: unknown, debug: boolean): FailureReport {
  const known = error instanceof HansaError ? error : unexpected(error);
  const [sentence = "", ...more] = known.message.split("\n");
  return {
    lines: [
      `Error: ${sentence}`,
      ...more,
      ...known.hint.split("\n").map((line) => `Hint: ${line}`),
      ...(debug ? trace(known) : []),
      "[action aborted]",
    ],
    exit: ERRORS[known.code].exit,
  };
}

function unexpected(error: unknown): HansaError {
  const text = error instanceof Error ? error.message : String(error);
  return new HansaError("INTERNAL", `unexpected failure: ${text}`, {
    hint: "run the same command with --debug and report what it prints",
    cause: error,
  });
}

function trace(error: HansaError): string[] {
  const lines = [`code: ${error.code}`];
  for (let at: unknown = error; at !== undefined; at = at instanceof Error ? at.cause : undefined) {
    lines.push(...(at instanceof Error ? (at.stack ?? at.message) : String(at)).split("\n"));
  }
  return lines;
}
