/**
 * The connection to one voter's etcd: mutual TLS, a deadline for every call, and etcd's refusals as codes of ours.
 *
 * The gRPC library costs 40 ms to load, so it is loaded when the first channel is opened: only voters do.
 */
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
export async function openEtcd({ host, port, tls }: EtcdPlace): Promise<EtcdChannel> {
  const [{ createClient }, { createGrpcTransport, Http2SessionManager }, api] = await Promise.all([
    import("@connectrpc/connect"),
    import("@connectrpc/connect-node"),
    import("./etcd_pb.js"),
  ]);
  const baseUrl = `https://${host}:${port}`;
  const sessionManager = new Http2SessionManager(
    baseUrl,
    { pingIntervalMs: PING_MS, pingTimeoutMs: PING_TIMEOUT_MS },
    { key: tls.key, cert: tls.cert, ca: [...tls.ca], minVersion: "TLSv1.2" },
  );
  const transport = createGrpcTransport({ baseUrl, sessionManager });
  return {
    kv: createClient(api.KV, transport),
    watch: createClient(api.Watch, transport),
    cluster: createClient(api.Cluster, transport),
    maintenance: createClient(api.Maintenance, transport),
    close: () => sessionManager.abort(),
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
