/**
 * A small value of the host's, kept on disk so that the next life of the daemon begins with what the last one saw.
 *
 * Invariant: it is a memory only. A file that is missing, damaged or cannot be written costs the head start and nothing else.
 */
import { basename } from "node:path";
import { codedSentence } from "../../errors.ts";
import { atomicWriteSync, readJson } from "../../host/files.ts";
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
      const text = JSON.stringify({ format: FORMAT, ...now });
      atomicWriteSync(this.#path, `${text}\n`, 0o600);
    } catch (error) {
      const path = this.#path;
      this.#logger.warn("what is seen cannot be written", { path, error: codedSentence(error) });
    }
    return now;
  }
}
