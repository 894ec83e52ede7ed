/**
 * Files into which this node puts what it had of a store before that is replaced: below /var/lib/hansa/backups, for root alone.
 *
 * Invariant: a file that is there is whole; none is ever overwritten or taken away but by the node's reset. Of folders that etcd did not open the first one and the
 * newest are kept, so that a disk that damages them again and again is not filled.
 */
import { existsSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { atomicWrite, ensureDir } from "../../host/files.ts";
import { encodeStoreCopy, type NamedStore, type StoreCopy } from "../../store/store-copy.ts";

const FOLDER = "etcd";

export class StoreBackups {
  readonly #dir: string;

  constructor(stateDir: string) {
    this.#dir = join(stateDir, "backups");
  }

  /** The path of the new file. Throws STATE_UNWRITABLE. */
  async write(copy: StoreCopy, nowMs: number): Promise<string> {
    const path = await this.place(copy.store, nowMs, "hansa");
    await atomicWrite(path, encodeStoreCopy(copy), 0o600);
    return path;
  }

  /** Where a folder of etcd's is to be moved. */
  async folder(store: NamedStore, nowMs: number): Promise<string> {
    const path = await this.place(store, nowMs, FOLDER);
    const names = (await readdir(this.#dir)).filter((name) => name.endsWith(`.${FOLDER}`));
    const ages = await Promise.all(
      names.map(async (name) => ({ name, ms: (await stat(join(this.#dir, name))).birthtimeMs })),
    );
    const inOrder = ages.sort((a, b) => a.ms - b.ms || (a.name < b.name ? -1 : 1));
    for (const { name } of inOrder.slice(1)) {
      await rm(join(this.#dir, name), { recursive: true, force: true });
    }
    return path;
  }

  /** Where there is nothing yet; its folder is there. */
  async place({ name, generation }: NamedStore, nowMs: number, ending: string): Promise<string> {
    await ensureDir(this.#dir, 0o700);
    const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "");
    const stem = `${name}-g${generation}-${time}`;
    for (let count = 0; ; count++) {
      const path = join(this.#dir, `${stem}${count === 0 ? "" : `-${count}`}.${ending}`);
      if (!existsSync(path)) return path;
    }
  }
}
