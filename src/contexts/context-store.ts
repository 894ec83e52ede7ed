/**
 * The contexts of one user: a file each in a folder, and `.active` with the name of the one in use.
 *
 * Invariants: files are 0600 in a folder of 0700; a context is whole or not there; what is no context is said, never used.
 */
import { readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { HansaError, isErrno } from "../errors.ts";
import { atomicWrite, ensureDir } from "../host/files.ts";
import { type ClusterContext, isContextName, parseContext } from "./context.ts";

const SUFFIX = ".json";

/** The folder of this user: HANSA_CONTEXTS, or .hansa/contexts at home. */
export function contextFolder(env: Readonly<NodeJS.ProcessEnv> = process.env): string {
  return env["HANSA_CONTEXTS"] || join(homedir(), ".hansa/contexts");
}

export class ContextStore {
  readonly #folder: string;

  constructor(folder: string = contextFolder()) {
    this.#folder = folder;
  }

  /** Names, sorted. */
  list(): string[] {
    return this.#read(() => readdirSync(this.#folder), [])
      .filter((file) => file.endsWith(SUFFIX))
      .map((file) => file.slice(0, -SUFFIX.length))
      .filter(isContextName)
      .sort();
  }

  /** The name of the one in use; undefined when there is none, or it is gone. */
  active(): string | undefined {
    const name = this.#read(() => readFileSync(join(this.#folder, ".active"), "utf8"), "").trim();
    return this.list().includes(name) ? name : undefined;
  }

  /** Throws CONTEXT_NOT_FOUND and STATE_DAMAGED. */
  read(name: string): ClusterContext {
    this.#require(name);
    const path = this.#path(name);
    let value: unknown;
    try {
      value = JSON.parse(readFileSync(path, "utf8"));
    } catch (cause) {
      throw new HansaError("STATE_DAMAGED", `${path} is damaged: it is no JSON`, { cause });
    }
    const context = parseContext(value);
    if (context === undefined) throw new HansaError("STATE_DAMAGED", `${path} holds no context`);
    return context;
  }

  has(name: string): boolean {
    return this.list().includes(name);
  }

  /** Writes it down, over another of that name, and takes it into use. */
  async save(name: string, context: ClusterContext): Promise<void> {
    await ensureDir(this.#folder, 0o700);
    await atomicWrite(this.#path(name), `${JSON.stringify(context, null, 2)}\n`, 0o600);
    await this.activate(name);
  }

  /** Throws CONTEXT_NOT_FOUND, and then changes nothing. */
  async activate(name: string): Promise<void> {
    this.#require(name);
    await atomicWrite(join(this.#folder, ".active"), `${name}\n`, 0o600);
  }

  /** Throws CONTEXT_NOT_FOUND. */
  async remove(name: string): Promise<void> {
    this.#require(name);
    await rm(this.#path(name));
  }

  #path(name: string): string {
    return join(this.#folder, `${name}${SUFFIX}`);
  }

  #require(name: string): void {
    if (isContextName(name) && this.has(name)) return;
    const known = this.list();
    const shown = JSON.stringify(name.slice(0, 100)).slice(1, -1);
    throw new HansaError("CONTEXT_NOT_FOUND", `there is no context ${shown}`, {
      hint:
        known.length > 0
          ? `there are: ${known.join(", ")}`
          : "import one: hansa context import BLOB KEY",
    });
  }

  #read<T>(read: () => T, absent: T): T {
    try {
      return read();
    } catch (error) {
      if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return absent;
      throw error;
    }
  }
}
