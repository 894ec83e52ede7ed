/**
 * A small value of the host's, kept on disk so that the next life of the daemon begins with what the last one saw.
 *
 * Invariant: it is a memory only. A file that is missing, damaged or cannot be written costs the head start and nothing else.
 */
import { basename } from "node:path";
import { codedSentence } from "../../errors.ts";
import { atomicWrite, atomicWriteSync, readJson } from "../../host/files.ts";
import type { Logger } from "../../host/logger.ts";

const FORMAT = 1;

export class Remembered<T extends object> {
  readonly #path: string;
  readonly #logger: Logger;
  #value: T | undefined;

  /** `parse` makes the value of the file's fields, and throws RangeError for what is none. */
  static async load<T extends object>(
    path: string,
    parse: (fields: Readonly<Record<string, unknown>>) => T,
    logger: Logger,
  ): Promise<Remembered<T>> {
    const remembered = new Remembered<T>(path, logger);
    const read = (json: unknown): T => {
      const { format, ...fields } = (json ?? {}) as Record<string, unknown>;
      if (format !== FORMAT) throw new RangeError(`format of ${basename(path)}`);
      return parse(fields);
    };
    try {
      remembered.#value = await readJson(path, { parse: read });
    } catch (error) {
      logger.warn("what was seen last cannot be read", { path, error: codedSentence(error) });
    }
    return remembered;
  }

  private constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** The value as it is, `now`, or where that is not known as it was; undefined when it was never seen. What is new is on disk when it returns. */
  value(now: T | undefined): T | undefined {
    if (now === undefined || JSON.stringify(now) === JSON.stringify(this.#value)) {
      return this.#value;
    }
    this.#value = now;
    try {
      atomicWriteSync(this.#path, textOf(now), 0o600);
    } catch (error) {
      this.#unwritten(error);
    }
    return now;
  }

  /** It is `now` from now on, and on disk when the promise resolves, whatever comes of that: for what may wait for a slow disk, and is not to be called before the last one is through. */
  async keep(now: T): Promise<void> {
    this.#value = now;
    await atomicWrite(this.#path, textOf(now), 0o600).catch((error: unknown) =>
      this.#unwritten(error),
    );
  }

  #unwritten(error: unknown): void {
    const path = this.#path;
    this.#logger.warn("what is seen cannot be written", { path, error: codedSentence(error) });
  }
}

function textOf(value: object): string {
  return `${JSON.stringify({ format: FORMAT, ...value })}\n`;
}
