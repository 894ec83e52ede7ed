/**
 * What the API reads and writes of the configuration: by a voter where one answers, else read from this node's copy, with its age.
 *
 * Invariants: what is not said to be stale was read by a majority after it was asked for; what is stale is all of one revision.
 */
import type {
  ConfigEntries,
  ConfigEntry,
  ConfigKey,
  ConfigPrefix,
  ConfigPut,
  ConfigWritten,
  ReadConfig,
} from "../../api/store-schemas.ts";
import { HansaError, isHansaError } from "../../errors.ts";
import type { NodeStore } from "../../store/node-store.ts";
import { type Entry, MAX_VALUE_BYTES, type Write } from "../../store/store.ts";
import type { StoreMirror } from "../../store/store-mirror.ts";

/** All that users write lies below it. */
export const CONFIG_PREFIX = "config/";

/** For the copy's files: the store was waited for before, and users are told within 2 s. */
const WRITTEN_MS = 200;

export interface ConfigAnswersOptions {
  readonly store: Pick<NodeStore, "get" | "list" | "commit">;
  readonly mirror: Pick<StoreMirror, "store" | "ageMs" | "get" | "list" | "written">;
  /** A refusal for want of a majority, with the votes that are missing; others unchanged. */
  readonly inPlainWords: (error: unknown) => Promise<unknown>;
}

type Freshness = Pick<ConfigEntry, "stale" | "ageMs" | "reason">;
const FRESH: Freshness = { stale: false, ageMs: null, reason: null };

export class ConfigAnswers {
  readonly #options: ConfigAnswersOptions;

  constructor(options: ConfigAnswersOptions) {
    this.#options = options;
  }

  get({ key, consistent }: ConfigKey & ReadConfig): Promise<ConfigEntry> {
    const { store, mirror } = this.#options;
    const answer = (entry: Entry | undefined, freshness: Freshness): ConfigEntry => ({
      ...{ entry: entry ? textOf(entry) : null, ...freshness },
    });
    return this.#read(
      consistent,
      async () => answer((await store.get(CONFIG_PREFIX + key)).entry, FRESH),
      (freshness) => answer(mirror.get(CONFIG_PREFIX + key), freshness),
    );
  }

  list({ prefix, consistent }: ConfigPrefix & ReadConfig): Promise<ConfigEntries> {
    const { store, mirror } = this.#options;
    return this.#read(
      consistent,
      async () => ({
        ...{ entries: (await store.list(CONFIG_PREFIX + prefix)).entries.map(textOf), ...FRESH },
      }),
      (freshness) => ({
        ...{ entries: mirror.list(CONFIG_PREFIX + prefix).map(textOf), ...freshness },
      }),
    );
  }

  async put({ key, value, encoding, revision }: ConfigPut): Promise<ConfigWritten> {
    const bytes =
      encoding === "base64" ? Buffer.from(value, "base64") : new TextEncoder().encode(value);
    if (bytes.length > MAX_VALUE_BYTES) {
      const text = `${key} would have ${bytes.length} bytes, the most is ${MAX_VALUE_BYTES}`;
      throw new HansaError("STORE_REFUSED", text);
    }
    return await this.#write({ type: "put", key: CONFIG_PREFIX + key, value: bytes }, revision);
  }

  remove({ key }: ConfigKey): Promise<ConfigWritten> {
    return this.#write({ type: "remove", key: CONFIG_PREFIX + key }, undefined);
  }

  async #write(write: Write, revision: string | undefined): Promise<ConfigWritten> {
    const { key } = write;
    const conditions = revision === undefined ? [] : [{ key, revision: BigInt(revision) }];
    try {
      const outcome = await this.#options.store.commit({ conditions, writes: [write] });
      return { written: outcome.ok, revision: `${outcome.revision}` };
    } catch (error) {
      throw await this.#options.inPlainWords(error);
    }
  }

  /** By a majority; else from the copy, unless that is refused or there is none. */
  async #read<T>(
    consistent: boolean | undefined,
    fresh: () => Promise<T>,
    stale: (freshness: Freshness) => T,
  ): Promise<T> {
    try {
      return await fresh();
    } catch (error) {
      const known = await this.#options.inPlainWords(error);
      const { mirror } = this.#options;
      const { ageMs } = mirror;
      const isLost =
        isHansaError(known, "STORE_NO_QUORUM") || isHansaError(known, "STORE_UNREACHABLE");
      if (!isLost || consistent === true || ageMs === undefined) throw known;
      // What is answered here is not taken back by the next daemon; but a disk that hangs holds no answer up.
      await Promise.race([mirror.written(), patience()]);
      const age = Math.round(mirror.ageMs ?? ageMs);
      return stale({ stale: true, ageMs: age, reason: known.message });
    }
  }
}

function patience(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, WRITTEN_MS).unref();
  });
}

/** Text where it is UTF-8. */
export function textOf({ key, value, revision }: Entry): NonNullable<ConfigEntry["entry"]> {
  const text = utf8(value);
  const [shown, encoding] =
    text === undefined
      ? ([Buffer.from(value).toString("base64"), "base64"] as const)
      : ([text, "utf8"] as const);
  return {
    ...{ key: key.slice(CONFIG_PREFIX.length), value: shown, encoding, revision: `${revision}` },
  };
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
