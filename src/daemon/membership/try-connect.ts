/** Whether a TCP port can be reached, whoever listens there. */
import { connect } from "node:net";
import { isErrno } from "../../errors.ts";
import { type Endpoint, formatEndpoint } from "../../values/endpoint.ts";

/** null when packets pass both ways: somebody took the connection or refused it. Else why not, in a few words. Never rejects. */
export async function tryConnect(to: Endpoint, withinMs: number): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const socket = connect({ host: to.ip, port: to.port });
  const timer = setTimeout(() => resolve(`${formatEndpoint(to)} does not answer`), withinMs);
  socket.once("connect", () => resolve(null));
  socket.on("error", (error) =>
    // Nobody listens there: the node has no relays, which is not the network's fault.
    resolve(isErrno(error, "ECONNREFUSED") ? null : error.message),
  );
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
