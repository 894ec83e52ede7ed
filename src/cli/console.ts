/**
 * The streams of this process for bytes: what a command in a container reads and writes, and the terminal that they may be.
 *
 * Invariant: a terminal that was made raw is as it was when this process ends, however it ends, but for SIGKILL.
 */
import { isErrno } from "../errors.ts";

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

export interface Console {
  isTerminal(stream: "stdin" | "stdout" | "stderr"): boolean;
  /** Standard input as it comes. Who stops before its end leaves the rest where it is. */
  input(): AsyncIterable<Buffer>;
  /** Resolves when the reader has room for more. A reader that went away ends the program, as it does any other. */
  write(to: "stdout" | "stderr", bytes: Buffer): Promise<void>;
  /** Of the terminal that standard output is; undefined when it is none. */
  size(): TerminalSize | undefined;
  /** Calls `changed` at each new size until the returned function is called. */
  onResize(changed: (size: TerminalSize) => void): () => void;
  /** Hands every key to the program, also Ctrl-C; the returned function restores the terminal. */
  raw(): () => void;
}

const SIGHUP_EXIT = 129;

export const thisConsole: Console = {
  isTerminal: (stream) => process[stream].isTTY === true,
  // Who stops reading leaves the rest to the next: a secret may be followed by a question.
  input: () => process.stdin.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>,
  write: (to, bytes) =>
    new Promise((resolve, reject) => {
      process[to].write(bytes, (error) => {
        if (isErrno(error, "EPIPE")) process.exit(141);
        if (error) reject(error);
        else resolve();
      });
    }),
  size: currentSize,
  onResize(changed) {
    const tell = (): void => {
      const size = currentSize();
      if (size) changed(size);
    };
    process.stdout.on("resize", tell);
    return () => process.stdout.off("resize", tell);
  },
  raw() {
    const { stdin } = process;
    if (stdin.isTTY !== true) return () => undefined;
    const restore = (): void => {
      process.off("exit", restore).off("SIGHUP", hangUp);
      if (!stdin.destroyed) stdin.setRawMode(false);
    };
    // Node itself restores it at SIGINT and SIGTERM.
    const hangUp = (): void => process.exit(SIGHUP_EXIT);
    process.on("exit", restore).on("SIGHUP", hangUp);
    stdin.setRawMode(true);
    return restore;
  },
};

function currentSize(): TerminalSize | undefined {
  const { isTTY, rows, columns } = process.stdout;
  return isTTY === true ? { rows: rows || 24, columns: columns || 80 } : undefined;
}
