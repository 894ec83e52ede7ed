/**
 * What lies in the folder of this node's part of the store: the record of it, what its etcd is told, its certificate, its data by generation, and the copy that
 * it is made anew from.
 *
 * Invariant: each file is written whole or not at all, and read by nobody but root.
 */
import { existsSync } from "node:fs";
import { readdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { HansaError } from "../../errors.ts";
import { atomicWrite, ensureDir, moveFolder, readIfExists } from "../../host/files.ts";
import type { Paths } from "../../processes/paths.ts";
import { type StoreFiles, type StorePorts, storeFiles } from "../../processes/store-process.ts";
import { etcdConfig, peerUrl } from "../../store/etcd/etcd-config.ts";
import {
  decodeStoreCopy,
  encodeStoreCopy,
  type NamedStore,
  type StoreCopy,
} from "../../store/store-copy.ts";
import { LEAST_TIMING } from "../../store/store-times.ts";
import type { StoreTls } from "../../store/store-tls.ts";
import {
  FIRST_DATA,
  loadVoterRecord,
  saveVoterRecord,
  type VoterRecord,
} from "../../store/voter-record.ts";

export interface VoterFilesOptions {
  readonly paths: Paths;
  readonly ports: StorePorts;
  /** The node's address inside of the overlay. */
  readonly ip: string;
  /** The member's name in gossip. */
  readonly name: string;
  /** Asked once. */
  readonly tls: () => Promise<StoreTls>;
}

/** All members when this one begins. */
export interface Beginning {
  readonly begins: "new" | "existing";
  readonly members: readonly { readonly name: string; readonly peerUrl: string }[];
}

export class VoterFiles {
  readonly #options: VoterFilesOptions;
  readonly #files: StoreFiles;
  #tls: Promise<StoreTls> | undefined;

  constructor(options: VoterFilesOptions) {
    this.#options = options;
    this.#files = storeFiles(options.paths);
  }

  /** Throws STATE_DAMAGED. */
  record(): Promise<VoterRecord | undefined> {
    return loadVoterRecord(this.#files.record);
  }

  keepRecord(record: VoterRecord): Promise<void> {
    return saveVoterRecord(this.#files.record, record);
  }

  /** Makes the folder. */
  async begin(): Promise<void> {
    await ensureDir(this.#files.dir, 0o700);
  }

  /** Takes all of it away. */
  async remove(): Promise<void> {
    await rm(this.#files.dir, { recursive: true, force: true });
  }

  certificates(): Promise<StoreTls> {
    this.#tls ??= this.#options.tls();
    return this.#tls;
  }

  async writeCertificates(): Promise<void> {
    const { key, cert, ca } = await this.certificates();
    await atomicWrite(this.#files.leaf, key + cert, 0o600);
    await atomicWrite(this.#files.ca, ca.join(""), 0o600);
  }

  /** What etcd is told, as the member that `record` says. */
  async configure(record: VoterRecord, beginning: Beginning): Promise<void> {
    const { ip, ports, name } = this.#options;
    const { leaf, ca, config } = this.#files;
    const text = etcdConfig({
      ...{ name, dataDir: this.#dataOf(record), clientPort: ports.store, tlsFiles: { leaf, ca } },
      ...{ ...beginning, peer: { ip, port: ports.raft } },
      token: `${record.store.id}-${record.store.generation}`,
      timing: record.timing ?? LEAST_TIMING,
    });
    await atomicWrite(config, text, 0o600);
  }

  /** For one that has data: its list of members is not read, and alone in it etcd finds nobody to begin with should the data be gone. */
  async configureSettled(record: VoterRecord): Promise<void> {
    const { name, ip, ports } = this.#options;
    const own = { name, peerUrl: peerUrl({ ip, port: ports.raft }) };
    await this.configure(record, { begins: "existing", members: [own] });
  }

  /** Its etcd was told how to run. */
  get isConfigured(): boolean {
    return existsSync(this.#files.config);
  }

  hasLog(record: VoterRecord): boolean {
    return existsSync(join(this.#dataOf(record), "member/wal"));
  }

  async removeData(record: VoterRecord): Promise<void> {
    await rm(this.#dataOf(record), { recursive: true, force: true });
  }

  /** Moves the data of that name to `path`, where there is any. */
  async moveData({ data = FIRST_DATA }: { readonly data?: string }, path: string): Promise<void> {
    const from = join(this.#files.dir, data);
    if (existsSync(from)) await moveFolder(from, path);
  }

  async keepCopy(copy: StoreCopy): Promise<void> {
    await atomicWrite(this.#files.copy, encodeStoreCopy(copy), 0o600);
  }

  /** Throws STATE_DAMAGED. */
  async copy(): Promise<StoreCopy> {
    const decoded = decodeStoreCopy((await readIfExists(this.#files.copy)) ?? new Uint8Array());
    if (decoded.ok) return decoded.copy;
    throw new HansaError("STATE_DAMAGED", `${this.#files.copy} ${decoded.reason}`);
  }

  /** Takes away what another generation than that of `record` left. */
  async tidy(record: VoterRecord | undefined): Promise<void> {
    const own = record?.data ?? FIRST_DATA;
    await rm(this.#files.copy, { force: true });
    for (const name of await readdir(this.#files.dir)) {
      if (!name.startsWith(FIRST_DATA) || name === own) continue;
      await rm(join(this.#files.dir, name), { recursive: true, force: true });
    }
  }

  /** What can still be written where its data lies; no bound where its folder was taken away. */
  async freeBytes(): Promise<number> {
    if (!existsSync(this.#files.dir)) return Number.POSITIVE_INFINITY;
    const { bfree, bsize } = await statfs(this.#files.dir);
    return bfree * bsize;
  }

  #dataOf({ data = FIRST_DATA }: VoterRecord): string {
    return join(this.#files.dir, data);
  }
}

/** Of the data of a store that is made anew, beside that of the generations before. */
export function dataName({ generation, id }: NamedStore): string {
  return `${FIRST_DATA}-${generation}-${id.slice(-8)}`;
}
