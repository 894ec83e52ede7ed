/** What etcd and gRPC say when they refuse, as codes of ours. Pure; recognises gRPC's errors by their shape, so that the library stays unloaded. */
import { HansaError, isHansaError } from "../../errors.ts";

/** gRPC's status codes, of which etcd uses these. */
const CANCELED = 1;
const DEADLINE_EXCEEDED = 4;
const RESOURCE_EXHAUSTED = 8;
const OUT_OF_RANGE = 11;
const UNAVAILABLE = 14;

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
  if (!isHansaError(error) || !isCallError(error.cause)) return false;
  const { rawMessage: said, cause } = error.cause;
  const isRefused = cause instanceof Error && "code" in cause && cause.code === "ECONNREFUSED";
  return isRefused || NOT_TAKEN.some((known) => said.startsWith(known));
}

/** The error to throw for one that a call threw; what is no refusal of the store passes unchanged. */
export function etcdError(error: unknown): unknown {
  if (isHansaError(error) || !isCallError(error)) return error;
  const { code, rawMessage: said } = error;
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

interface CallError extends Error {
  readonly code: number;
  readonly rawMessage: string;
}

function isCallError(error: unknown): error is CallError {
  return (
    error instanceof Error &&
    error.name === "ConnectError" &&
    "code" in error &&
    typeof error.code === "number" &&
    "rawMessage" in error &&
    typeof error.rawMessage === "string"
  );
}
