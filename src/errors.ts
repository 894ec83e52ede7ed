/**
 * The one table of error codes, and the error that carries one.
 *
 * Every failure a user can meet has a code here. `title` is the heading of its section in
 * docs/reference/errors.md (generated from this table), `cause` says why it happens, `hint` what to do next.
 * `exit` is the exit status of the command line (0 ok, 1 refused/failed/usage, 2 not quorate, 3 not found), `status`
 * the HTTP status of the API. Codes never change meaning.
 */

interface ErrorEntry {
  readonly title: string;
  readonly cause: string;
  readonly hint: string;
  readonly exit: 1 | 2 | 3;
  readonly status: number;
}

export const ERRORS = {
  USAGE: {
    title: "wrong usage",
    cause: "an argument or option is missing, unknown or malformed",
    hint: "run the command with --help",
    exit: 1,
    status: 400,
  },
  ROOT_REQUIRED: {
    title: "root privileges required",
    cause: "the command changes the host's network and services",
    hint: "run the same command with sudo",
    exit: 1,
    status: 403,
  },
  NODE_NOT_RUNNING: {
    title: "hansa is not running",
    cause: "the daemon does not answer on its socket",
    hint: "start it with hansa resume, or hansa launch on a host that was never launched",
    exit: 1,
    status: 503,
  },
  INTERNAL: {
    title: "unexpected failure",
    cause: "a defect in hansa, or the host refused something that it never refuses",
    hint: "see the daemon's log in /var/lib/hansa/log and report it",
    exit: 1,
    status: 500,
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

export interface HansaErrorOptions {
  /** Replaces the table's hint where this occurrence knows better. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * A failure with a code. `message` is one sentence: what failed, with names, and why; lower case, no period.
 */
export class HansaError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, options: HansaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "HansaError";
    this.code = code;
    this.hint = options.hint ?? ERRORS[code].hint;
  }
}

/** True when `error` is a HansaError, of `code` where one is given. */
export function isHansaError(error: unknown, code?: ErrorCode): error is HansaError {
  return error instanceof HansaError && (code === undefined || error.code === code);
}

/** True when `error` is a system error with that errno name, for example "ENOENT". */
export function isErrno(error: unknown, errno: string): boolean {
  return error instanceof Error && "code" in error && error.code === errno;
}
