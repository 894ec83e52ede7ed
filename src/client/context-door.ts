/**
 * The way to the nodes of a context: mutual TLS, by the first of its places that answers.
 *
 * Invariant: a node is spoken to only when its certificate is of the context's authority and names the place that was asked for.
 */
import { isIP, type Socket } from "node:net";
import type { ClusterContext } from "../contexts/context.ts";
import { HansaError } from "../errors.ts";
import type { Door } from "./door.ts";

/** For TCP and TLS together, a place. */
const OPEN_MS = 5_000;

/** A door to whichever node of `context` answers first, in its order; `name` is for messages. */
export function contextDoor(name: string, context: ClusterContext): Door {
  const { api } = context;
  return {
    place: `the context ${name}`,
    async open() {
      const failures: string[] = [];
      for (const place of api) {
        try {
          return await openTls(place, context);
        } catch (error) {
          failures.push(`${place}: ${error instanceof Error ? error.message : error}`);
        }
      }
      const text = `no node of the context ${name} answers (${failures.join("; ")})`;
      throw new HansaError("CONTEXT_UNREACHABLE", text);
    },
    inOurWords: (error) => error,
  };
}

async function openTls(
  place: string,
  { ca, certificate, privateKey }: ClusterContext,
): Promise<Socket> {
  // Loaded when it is needed: it costs a command on the node itself nothing.
  const { connect } = await import("node:tls");
  const at = place.lastIndexOf(":");
  const host = place.slice(0, at).replace(/^\[|\]$/g, "");
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ host, port: Number(place.slice(at + 1)), ca, cert: certificate, key: privateKey },
      ...(isIP(host) === 0 && { servername: host }),
      minVersion: "TLSv1.2",
      ALPNProtocols: ["http/1.1"],
    });
    const timer = setTimeout(() => {
      socket.destroy(new Error(`no answer within ${OPEN_MS / 1000} s`));
    }, OPEN_MS);
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
