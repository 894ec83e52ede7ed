/** Turns the failure to listen on a port into the sentence that a user sees. */
import { HansaError, isErrno } from "../errors.ts";
import { type Endpoint, formatEndpoint } from "../values/endpoint.ts";

/** PORT_TAKEN for a port in use, INTERNAL for the rest (an address that the host does not have). */
export function bindFailure(error: Error, at: Endpoint, protocol: "tcp" | "udp"): HansaError {
  if (isErrno(error, "EADDRINUSE")) {
    const message = `port ${at.port}/${protocol} on ${at.ip} is taken by another program`;
    return new HansaError("PORT_TAKEN", message, { cause: error });
  }
  const message = `cannot listen on ${formatEndpoint(at)}/${protocol}: ${error.message}`;
  return new HansaError("INTERNAL", message, { cause: error });
}
