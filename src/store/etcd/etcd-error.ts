/** What etcd and gRPC say when they refuse, as codes of ours. Pure. */
import { HansaError, isHansaError } from "../../errors.ts";
import {
  CANCELED,
  DEADLINE_EXCEEDED,
  GrpcError,
  OUT_OF_RANGE,
  RESOURCE_EXHAUSTED,
  UNAVAILABLE,
} from "./grpc-error.ts";

/** etcd's sentences (api/v3rpc/rpctypes) for: there is no majority, or none for the moment. */
const NO_QUORUM = [
  "etcdserver: no leader",
  "etcdserver: request timed out",
  "etcdserver: leader changed",
  "etcdserver: not leader",
  "etcdserver: unhealthy cluster",
  // Of a voter that waited itself, and answers with no status of its own.
  "context deadline exceeded",
];

/** Refusals that etcd gives before it does anything. */
const NOT_TAKEN = ["etcdserver: no leader", "etcdserver: rpc not supported for learner"];

/** Of an error of `etcdError`: it is certain that nothing was done. */
export function wasNotTaken(error: unknown): boolean {
  if (!isHansaError(error) || !(error.cause instanceof GrpcError)) return false;
  const { message: said, cause } = error.cause;
  const isRefused = cause instanceof Error && "code" in cause && cause.code === "ECONNREFUSED";
  return isRefused || NOT_TAKEN.some((known) => said.startsWith(known));
}

/** The error to throw for one that a call threw; what is no refusal of the store passes unchanged. */
export function etcdError(error: unknown): unknown {
  if (isHansaError(error) || !(error instanceof GrpcError)) return error;
  const { code, message: said } = error;
  if (code === DEADLINE_EXCEEDED || NO_QUORUM.some((known) => said.startsWith(known))) {
    const why = code === DEADLINE_EXCEEDED ? "no majority of the votes answered in time" : said;
    return new HansaError("STORE_NO_QUORUM", `the store cannot be used: ${why}`, { cause: error });
  }
  if (code === OUT_OF_RANGE && said.includes("compacted")) {
    return new HansaError("STORE_COMPACTED", "the store has forgotten what it was then", {
      cause: error,
    });
  }
  if (code === RESOURCE_EXHAUSTED && said.includes("space exceeded")) {
    return new HansaError("STORE_FULL", "the store has no room left", { cause: error });
  }
  // What etcd said has no cause; what happened to the connection has the system's.
  if (code === UNAVAILABLE || code === CANCELED || isErrnoError(error.cause)) {
    const text = `the store does not answer on this host: ${plain(said)}`;
    return new HansaError("STORE_UNREACHABLE", text, { cause: error });
  }
  const text = `the store refused: ${said.slice(0, 300)}`;
  return new HansaError("STORE_REFUSED", text, { cause: error });
}

/** OpenSSL's own reason out of its line of places and numbers. */
function plain(said: string): string {
  return (/:SSL routines:[^:]*:([^:]+)/.exec(said)?.[1] ?? said).slice(0, 200);
}

/** A system's or TLS's error, and no defect of ours. */
function isErrnoError(cause: unknown): boolean {
  return cause instanceof Error && ("code" in cause || cause.message.includes(":SSL routines:"));
}
