/**
 * etcd as a process of this node: its ports, where its files lie, and how it is called.
 *
 * Invariant: its configuration file is there exactly while the node is to have it, so that whoever keeps the processes needs no other word of it.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { findTool } from "./host-tools.ts";
import type { Ports } from "./node-file.ts";
import type { Paths } from "./paths.ts";
import type { ProcessSpec } from "./process-list.ts";

/** Names its pid file, log and unit. */
export const STORE_PROCESS = "etcd";

export interface StorePorts {
  /** TCP, on the node's address inside of the overlay. */
  readonly raft: number;
  /** TCP, on loopback. */
  readonly store: number;
}

export const DEFAULT_STORE_PORTS: StorePorts = { raft: 9212, store: 2379 };

/** The ports of a node's store, which earlier builds did not write down. */
export function storePorts({ raft, store }: Ports): StorePorts {
  return {
    raft: raft ?? DEFAULT_STORE_PORTS.raft,
    store: store ?? DEFAULT_STORE_PORTS.store,
  };
}

/** All below one folder, 0700. */
export interface StoreFiles {
  readonly dir: string;
  /** What the daemon knows of the store. */
  readonly record: string;
  readonly config: string;
  /** Of the store's first generation; later ones' lie beside it. */
  readonly data: string;
  /** From which a store is being made anew. */
  readonly copy: string;
  /** Key and certificate in one file, so that etcd, which reads it at each handshake, never sees halves of two. */
  readonly leaf: string;
  readonly ca: string;
}

export function storeFiles({ stateDir }: Pick<Paths, "stateDir">): StoreFiles {
  const dir = join(stateDir, "store");
  const at = (name: string): string => join(dir, name);
  return {
    dir,
    record: at("store.json"),
    config: at("etcd.json"),
    data: at("data"),
    copy: at("store.copy"),
    leaf: at("voter.pem"),
    ca: at("ca.pem"),
  };
}

/** The process, when this node is to have it and the program is there; `env`: what it gets beside what all get. */
export function storeProcess(
  paths: Paths,
  folders: readonly string[],
  env: ProcessSpec["env"] = {},
): ProcessSpec | undefined {
  const { config } = storeFiles(paths);
  if (!existsSync(config)) return undefined;
  const program = findTool("etcd", folders);
  if (program === undefined) return undefined;
  return { name: STORE_PROCESS, argv: [program, "--config-file", config], env };
}
