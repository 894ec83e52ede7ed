/** What a node says went wrong, as the error that its code stands for. */
import { ERRORS, type ErrorCode, HansaError } from "../errors.ts";
import { type Check, isText, record } from "./shape.ts";

export interface ToldFailure {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** A newer daemon may know codes that we do not: those are INTERNAL, with its words. */
export function errorOf({ code, message, hint }: ToldFailure): HansaError {
  const known: ErrorCode = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : "INTERNAL";
  return new HansaError(known, message, { hint });
}

/** The body of a failed request. */
export const isFailure: Check<{ readonly error: ToldFailure }> = record({
  error: record({ code: isText, message: isText, hint: isText }),
});
