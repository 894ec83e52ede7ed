/** A connection to an API by mutual TLS, in bounded time. */
import type { ConnectionOptions, TLSSocket } from "node:tls";

/** Resolves when the handshake is done. Rejects with the reason, at the latest after `withinMs` for TCP and TLS together. */
export async function openTls(
  options: ConnectionOptions & { readonly host: string; readonly port: number },
  withinMs: number,
): Promise<TLSSocket> {
  // Loaded when it is needed: it costs a command on the node itself nothing.
  const { connect } = await import("node:tls");
  return new Promise((resolve, reject) => {
    const socket = connect({ ...options, minVersion: "TLSv1.2", ALPNProtocols: ["http/1.1"] });
    const timer = setTimeout(() => {
      socket.destroy(new Error(`no answer within ${withinMs / 1000} s`));
    }, withinMs);
    socket.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once("secureConnect", () => {
      clearTimeout(timer);
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });
}
