/**
 * What the host-wide kernel settings were before we changed them, so that a reset can put them back.
 *
 * Invariant: written down before the change. The settings of our own interfaces go with these and are not kept.
 */
import { readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { isErrno } from "../errors.ts";
import { atomicWrite, ensureDir, readJson } from "../host/files.ts";

/** By path below /proc/sys: what somebody else had set, and what we made of it. */
type Former = Readonly<Record<string, { readonly was: number; readonly set: number }>>;

export class FormerSysctls {
  readonly #file: string;
  readonly #root: string;

  /** `file` keeps them; `root` is where the kernel's settings are. */
  constructor(file: string, root = "/proc/sys") {
    this.#file = file;
    this.#root = root;
  }

  /** A setting is about to be changed from `was` to `set`. On disk when it resolves. Throws STATE_UNWRITABLE. */
  async note(path: string, was: number, set: number): Promise<void> {
    const former = await this.#read();
    // What we set ourselves in an earlier life is nobody's wish.
    if (former[path]?.set === was) return;
    const settings = { ...former, [path]: { was, set } };
    await ensureDir(dirname(this.#file), 0o700);
    await atomicWrite(this.#file, `${JSON.stringify({ version: 1, settings })}\n`, 0o600);
  }

  /** Puts back what is still as we set it; what somebody changed since stays. */
  async restore(): Promise<void> {
    for (const [path, { was, set }] of Object.entries(await this.#read())) {
      const file = `${this.#root}/${path}`;
      try {
        if (Number(await readFile(file, "utf8")) === set) await writeFile(file, String(was));
      } catch (error) {
        // Gone with its interface or its kernel, or not ours to write: there is nothing to put back.
        const known = ["ENOENT", "EACCES", "EPERM", "EROFS"];
        if (!known.some((errno) => isErrno(error, errno))) throw error;
      }
    }
  }

  async #read(): Promise<Former> {
    return (await readJson(this.#file, { parse: parseFormer })) ?? {};
  }
}

function parseFormer(value: unknown): Former {
  const { version, settings } = value as { version?: unknown; settings?: unknown };
  if (version !== 1 || typeof settings !== "object" || settings === null) {
    throw new RangeError("not the former settings");
  }
  for (const [path, each] of Object.entries(settings)) {
    const { was, set } = each as { was?: unknown; set?: unknown };
    // It names a file that root writes: nothing but a setting of the network.
    const sane = /^net(\/[A-Za-z0-9_-]+)+$/.test(path);
    if (!sane || !Number.isInteger(was) || !Number.isInteger(set)) throw new RangeError(path);
  }
  return settings as Former;
}
