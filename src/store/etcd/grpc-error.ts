/** How a call by gRPC failed: what the other side said, or what happened to the connection. Pure. */

/** gRPC's status codes, of which we and etcd use these. */
export const CANCELED = 1;
export const UNKNOWN = 2;
export const DEADLINE_EXCEEDED = 4;
export const RESOURCE_EXHAUSTED = 8;
export const OUT_OF_RANGE = 11;
export const INTERNAL = 13;
export const UNAVAILABLE = 14;

export class GrpcError extends Error {
  override readonly name = "GrpcError";
  readonly code: number;

  /** `cause` is the system's or TLS's error, where the connection failed; what the other side said has none. */
  constructor(code: number, said: string, cause?: unknown) {
    super(said, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** What an answer's trailers say; undefined: the call went well. `status` is that of HTTP. */
export function refusalIn(
  trailers: Readonly<Record<string, unknown>>,
  status: number,
): GrpcError | undefined {
  const code = trailers["grpc-status"];
  if (code === undefined) {
    const said = status === 200 ? "the answer has no end" : `HTTP status ${status}`;
    return new GrpcError(UNAVAILABLE, said);
  }
  if (`${code}` === "0") return undefined;
  const known = /^\d{1,3}$/.test(`${code}`) ? Number(code) : UNKNOWN;
  return new GrpcError(known, percentDecoded(`${trailers["grpc-message"] ?? ""}`));
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}
