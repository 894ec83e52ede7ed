/**
 * The connection to one voter's etcd: mutual TLS, a deadline for every call, and etcd's refusals as codes of ours.
 *
 * The gRPC library costs 40 ms to load, so it is loaded when the first channel is opened: only voters do.
 */
import type { SecureClientSessionOptions } from "node:http2";
import type { Duplex } from "node:stream";
import { connect, type TLSSocket } from "node:tls";
import type { Client } from "@connectrpc/connect";
import type { Cluster, KV, Maintenance, Watch } from "./etcd_pb.js";
import { etcdError } from "./etcd-error.ts";

export interface EtcdPlace {
  /** A loopback address, or a name that the certificate has. */
  readonly host: string;
  readonly port: number;
  /** PEM: what we show, and who must have signed what the other side shows. */
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: readonly string[] };
}

export interface EtcdChannel {
  readonly kv: Client<typeof KV>;
  readonly watch: Client<typeof Watch>;
  readonly cluster: Client<typeof Cluster>;
  readonly maintenance: Client<typeof Maintenance>;
  close(): void;
}

export interface CallOptions {
  readonly timeoutMs: number;
  readonly headers: Record<string, string>;
}

/** Who waits longer than this has no majority: a leader is chosen again in less, and users are told within 2 s. */
export const CALL_MS = 1500;

/** For what needs the majority: a voter that knows of no leader refuses at once. */
export const WITH_LEADER: CallOptions = {
  timeoutMs: CALL_MS,
  headers: { hasleader: "true" },
};
/** For what one voter answers by itself. */
export const ALONE: CallOptions = { timeoutMs: CALL_MS, headers: {} };

/** Pings while something is open, so that an etcd that hangs is noticed; it refuses more than one in 5 s. */
const PING_MS = 10_000;
const PING_TIMEOUT_MS = 3000;

/** Connects at the first call, and again after a loss. */
export function openEtcd({ host, port, tls }: EtcdPlace): Promise<EtcdChannel> {
  const { key, cert, ca } = tls;
  const options = { key, cert, ca: [...ca], minVersion: "TLSv1.2" as const };
  return openChannel(`https://${host}:${port}`, options);
}

/** Over a connection that bears HTTP/2 already, such as one that `dialEtcd` made elsewhere. Over, when that is. */
export function openEtcdOver(connection: Duplex): Promise<EtcdChannel> {
  let isTaken = false;
  const createConnection = (): Duplex => {
    if (isTaken) throw Object.assign(new Error("the connection is over"), { code: "ECONNRESET" });
    isTaken = true;
    return connection;
  };
  return openChannel("http://localhost", { createConnection });
}

/** A connection to a voter's etcd, of the caller's own, on which it takes HTTP/2. Throws the system's or TLS's error. */
export function dialEtcd({ host, port, tls }: EtcdPlace, withinMs: number): Promise<TLSSocket> {
  const { key, cert, ca } = tls;
  return new Promise((resolve, reject) => {
    const options = { host, port, key, cert, ca: [...ca], minVersion: "TLSv1.2" as const };
    const socket = connect({ ...options, ALPNProtocols: ["h2"] });
    const timer = setTimeout(
      () => socket.destroy(new Error(`etcd did not answer within ${withinMs / 1000} s`)),
      withinMs,
    );
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    socket.once("error", fail);
    socket.once("secureConnect", () => {
      clearTimeout(timer);
      socket.off("error", fail);
      resolve(socket);
    });
  });
}

async function openChannel(
  baseUrl: string,
  options: SecureClientSessionOptions,
): Promise<EtcdChannel> {
  const [connectRpc, { createGrpcTransport, Http2SessionManager }, api] = await Promise.all([
    import("@connectrpc/connect"),
    import("@connectrpc/connect-node"),
    import("./etcd_pb.js"),
  ]);
  const { Code, ConnectError, createClient } = connectRpc;
  const pings = { pingIntervalMs: PING_MS, pingTimeoutMs: PING_TIMEOUT_MS };
  const sessionManager = new Http2SessionManager(baseUrl, pings, options);
  let isClosed = false;
  const transport = createGrpcTransport({
    ...{ baseUrl, sessionManager },
    interceptors: [
      (next) => (request) => {
        // It would connect again, to whatever serves there now.
        if (isClosed) throw new ConnectError("the connection was closed", Code.Canceled);
        return next(request);
      },
    ],
  });
  return {
    kv: createClient(api.KV, transport),
    watch: createClient(api.Watch, transport),
    cluster: createClient(api.Cluster, transport),
    maintenance: createClient(api.Maintenance, transport),
    close() {
      isClosed = true;
      sessionManager.abort();
    },
  };
}

/** The answer; a refusal becomes a HansaError: see `etcdError`. */
export async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw etcdError(error);
  }
}
