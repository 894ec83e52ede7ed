/**
 * The daemon's connections to its own etcd: one of its own, and those that it opens for other nodes.
 *
 * Invariant: after `sever` nothing that was asked before is answered any more: so whatever etcd acknowledged to anybody is in it when it is read next.
 */
import type { Socket } from "node:net";
import { HansaError, isHansaError } from "../../errors.ts";
import { dialEtcd, type EtcdChannel, openEtcd } from "../../store/etcd/etcd-channel.ts";
import { etcdMetrics } from "../../store/etcd/etcd-metrics.ts";
import { EtcdStore } from "../../store/etcd/etcd-store.ts";
import { EtcdUpkeep } from "../../store/etcd/etcd-upkeep.ts";
import { EtcdVoters } from "../../store/etcd/etcd-voters.ts";
import type { StoreTls } from "../../store/store-tls.ts";

/** Where the daemon speaks with its etcd. */
export interface VoterLink {
  readonly store: EtcdStore;
  readonly voters: EtcdVoters;
  readonly upkeep: EtcdUpkeep;
}

export interface EtcdConnectionsOptions {
  /** Of etcd's clients, on loopback. */
  readonly port: number;
  readonly tls: () => Promise<StoreTls>;
  /** What lies before the first revision of the store that it has. */
  readonly revisionBase: () => bigint;
}

/** Over loopback. */
const DIAL_MS = 1000;
const HOST = "127.0.0.1";

export class EtcdConnections {
  readonly #options: EtcdConnectionsOptions;
  #link: Promise<VoterLink & { readonly channel: EtcdChannel }> | undefined;
  /** Of other nodes. */
  readonly #dialled = new Set<Socket>();

  constructor(options: EtcdConnectionsOptions) {
    this.#options = options;
  }

  /** Connects at the first call. Throws as a store does. */
  async connected(): Promise<VoterLink> {
    this.#link ??= this.#connect();
    try {
      return await this.#link;
    } catch (error) {
      this.#link = undefined;
      throw error;
    }
  }

  /** A connection for another node, which closes it. Throws STORE_UNREACHABLE. */
  async dial(): Promise<Socket> {
    try {
      const { port, tls } = this.#options;
      const socket = await dialEtcd({ host: HOST, port, tls: await tls() }, DIAL_MS);
      this.#dialled.add(socket);
      socket.once("close", () => this.#dialled.delete(socket));
      return socket;
    } catch (error) {
      const text = `the store does not answer on this host: ${error instanceof Error ? error.message : error}`;
      throw new HansaError("STORE_UNREACHABLE", text, { cause: error });
    }
  }

  /** What etcd tells of itself, as Prometheus reads it. Throws the system's or TLS's error. */
  async metrics(): Promise<string> {
    const { port, tls } = this.#options;
    return await etcdMetrics({ host: HOST, port, tls: await tls() }, DIAL_MS);
  }

  /** Ends them all, with what is under way on them. */
  sever(): void {
    for (const socket of this.#dialled) socket.destroy();
    const link = this.#link;
    this.#link = undefined;
    link?.then(
      ({ channel }) => channel.close(),
      // It was never open, which its caller was told.
      () => undefined,
    );
  }

  /** The daemon's own ends; another one is made when it is wanted. */
  async close(): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    try {
      (await link)?.channel.close();
    } catch (error) {
      // It was never open.
      if (!isHansaError(error)) throw error;
    }
  }

  async #connect(): Promise<VoterLink & { readonly channel: EtcdChannel }> {
    const { port, tls, revisionBase } = this.#options;
    const channel = await openEtcd({ host: HOST, port, tls: await tls() });
    const parts = { voters: new EtcdVoters(channel), upkeep: new EtcdUpkeep(channel) };
    return { channel, store: new EtcdStore(channel, revisionBase()), ...parts };
  }
}
