/**
 * Takes secrets out of what `ps` and /proc/PID/cmdline show of this process.
 *
 * The kernel shows the memory that a program was started with, and setting process.title overwrites it. Between exec and here
 * lie about 20 ms that cannot be helped: --token-file is the way that leaves no trace.
 */

const SECRET = /^--token(=|$)/;

/** Overwrites the command line when `argv` (without program and script) holds a token. */
export function hideArguments(argv: readonly string[]): void {
  if (argv.some((word) => SECRET.test(word))) process.title = "hansa";
}
