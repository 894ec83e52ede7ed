/**
 * Prints lines of logs, many with one write when they come at once.
 *
 * Invariant: at most MAX_GATHERED bytes and one line wait to be written; who prints waits for a slow reader.
 */
import { setImmediate as turn } from "node:timers/promises";
import type { LogLine } from "../client/read-log.ts";
import type { Console } from "./console.ts";

const MAX_GATHERED = 64 * 1024;
const LF = 0x0a;

export class LogPrinter {
  readonly #console: Pick<Console, "write">;
  /** Origins whose last line is not ended yet: what follows needs no prefix. */
  readonly #open = new Set<string>();
  #to: LogLine["kind"] = "stdout";
  #pieces: Buffer[] = [];
  #bytes = 0;
  #writing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(console: Pick<Console, "write">) {
    this.#console = console;
  }

  /** Rejects when an earlier write failed. */
  async print(line: LogLine, prefix: string, timestamps: boolean): Promise<void> {
    if (line.kind !== this.#to) await this.flush();
    this.#to = line.kind;
    const origin = `${line.container} ${line.kind}`;
    const isMore = this.#open.delete(origin);
    if (!isMore) this.#add(Buffer.from(`${prefix}${timestamps ? `${line.at} ` : ""}`));
    this.#add(line.text);
    if (line.text.at(-1) !== LF) this.#open.add(origin);
    this.#begin();
    if (this.#bytes > MAX_GATHERED) await this.flush();
  }

  /** Resolves when all is written. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined || this.#bytes > 0) {
      this.#begin();
      await this.#writing;
    }
    if (this.#failure) throw this.#failure.error;
  }

  #add(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  #begin(): void {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async #write(): Promise<void> {
    // What else is there already goes out with it.
    await turn();
    while (this.#bytes > 0) {
      const bytes = Buffer.concat(this.#pieces);
      this.#pieces = [];
      this.#bytes = 0;
      try {
        await this.#console.write(this.#to, bytes);
      } catch (error) {
        this.#failure ??= { error };
      }
    }
  }
}
