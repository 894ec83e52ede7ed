/**
 * The connection to one voter's etcd: mutual TLS, a deadline for every call, and etcd's refusals as codes of ours.
 *
 * HTTP/2 and the library of messages are loaded when the first channel is opened: only who follows a store does.
 */
import type { Duplex } from "node:stream";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { GenService } from "@bufbuild/protobuf/codegenv2";
import type { Cluster, KV, Maintenance, Watch } from "./etcd_pb.js";
import { etcdError } from "./etcd-error.ts";
import { GrpcError, INTERNAL, UNAVAILABLE } from "./grpc-error.ts";
import { type CallOptions, GrpcSession, type StreamOptions } from "./grpc-session.ts";

export type { CallOptions };

/** One question, one answer. Rejects with a GrpcError. */
type Unary<M> = M extends {
  readonly methodKind: "unary";
  readonly input: infer Input extends DescMessage;
  readonly output: infer Output extends DescMessage;
}
  ? (request: MessageInitShape<Input>, options: CallOptions) => Promise<MessageShape<Output>>
  : never;

/** One question, which stays open, and answers. Throws GrpcError. */
type Stream<M> = M extends {
  readonly methodKind: "bidi_streaming";
  readonly input: infer Input extends DescMessage;
  readonly output: infer Output extends DescMessage;
}
  ? (
      request: MessageInitShape<Input>,
      options: StreamOptions,
    ) => AsyncIterable<MessageShape<Output>>
  : never;

type Calls<Service> =
  Service extends GenService<infer Methods>
    ? {
        readonly [Name in keyof Methods as Methods[Name] extends { methodKind: "unary" }
          ? Name
          : never]: Unary<Methods[Name]>;
      }
    : never;

export interface EtcdPlace {
  /** A loopback address, or a name that the certificate has. */
  readonly host: string;
  readonly port: number;
  /** PEM: what we show, and who must have signed what the other side shows. */
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: readonly string[] };
}

export interface EtcdChannel {
  readonly kv: Calls<typeof KV>;
  readonly watch: Stream<MethodsOf<typeof Watch>["watch"]>;
  readonly cluster: Calls<typeof Cluster>;
  readonly maintenance: Calls<typeof Maintenance>;
  close(): void;
}

type MethodsOf<Service> = Service extends GenService<infer Methods> ? Methods : never;

/** Who waits longer than this has no majority: a leader is chosen again in less, and users are told within 2 s. */
export const CALL_MS = 1500;

/** For what needs the majority: a voter that knows of no leader refuses at once. */
export const WITH_LEADER: CallOptions = {
  timeoutMs: CALL_MS,
  headers: { hasleader: "true" },
};
/** For what one voter answers by itself. */
export const ALONE: CallOptions = { timeoutMs: CALL_MS, headers: {} };

/** Connects at the first call, and again after a loss. */
export function openEtcd(place: EtcdPlace): Promise<EtcdChannel> {
  return openChannel(`https://${place.host}:${place.port}`, () => connect(tlsOptions(place)));
}

/** Over a connection that bears HTTP/2 already, such as one that `dialEtcd` made elsewhere. Over, when that is. */
export function openEtcdOver(connection: Duplex): Promise<EtcdChannel> {
  let isTaken = false;
  return openChannel("http://localhost", () => {
    if (isTaken) throw new GrpcError(UNAVAILABLE, "the connection is over");
    isTaken = true;
    return connection;
  });
}

function tlsOptions({ host, port, tls: { key, cert, ca } }: EtcdPlace): ConnectionOptions {
  return { host, port, key, cert, ca: [...ca], minVersion: "TLSv1.2", ALPNProtocols: ["h2"] };
}

/** A connection to a voter's etcd, of the caller's own, on which it takes HTTP/2. Throws the system's or TLS's error. */
export function dialEtcd(place: EtcdPlace, withinMs: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect(tlsOptions(place));
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

/** `dial` begins a connection; it may throw a GrpcError. */
async function openChannel(baseUrl: string, dial: () => Duplex): Promise<EtcdChannel> {
  const [http2, { create, fromBinary, toBinary }, api] = await Promise.all([
    import("node:http2"),
    import("@bufbuild/protobuf"),
    import("./etcd_pb.js"),
  ]);
  const session = new GrpcSession(() => {
    const socket = dial();
    return { socket, session: http2.connect(baseUrl, { createConnection: () => socket }) };
  });
  const pathOf = ({ parent, name }: DescMethod): string => `/${parent.typeName}/${name}`;
  const bytesOf = ({ input }: DescMethod, request: MessageInitShape<DescMessage>): Uint8Array =>
    toBinary(input, create(input, request));
  const read = <Output extends DescMessage>(
    output: Output,
    message: Uint8Array,
  ): MessageShape<Output> => {
    try {
      return fromBinary(output, message);
    } catch (error) {
      throw new GrpcError(INTERNAL, `an answer that is no ${output.name}: ${error}`);
    }
  };
  const unary = (method: DescMethod) => {
    const path = pathOf(method);
    return async (request: MessageInitShape<DescMessage>, call: CallOptions): Promise<unknown> =>
      read(method.output, await session.unary(path, bytesOf(method, request), call));
  };
  const calls = <Service extends { readonly methods: readonly DescMethod[] }>(service: Service) =>
    Object.fromEntries(
      service.methods
        .filter(({ methodKind }) => methodKind === "unary")
        .map((method) => [method.localName, unary(method)]),
    ) as Calls<Service>;
  const { watch } = api.Watch.method;
  return {
    kv: calls(api.KV),
    cluster: calls(api.Cluster),
    maintenance: calls(api.Maintenance),
    async *watch(request, stream) {
      for await (const message of session.stream(pathOf(watch), bytesOf(watch, request), stream)) {
        yield read(watch.output, message);
      }
    },
    close: () => session.close(),
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
