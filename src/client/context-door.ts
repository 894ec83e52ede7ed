/**
 * The way to the nodes of a context: mutual TLS, by the first of its places that answers.
 *
 * Invariant: a node is spoken to only when its certificate is of the context's authority and names the place that was asked for.
 */
import { isIP, type Socket } from "node:net";
import type { ClusterContext } from "../contexts/context.ts";
import { HansaError } from "../errors.ts";
import type { Door } from "./door.ts";
import { openTls } from "./open-tls.ts";

/** For TCP and TLS together, a place. */
const OPEN_MS = 5_000;
/** A place that did not answer for so long is gone on with beside the next. */
const NEXT_MS = 700;

/** A door to whichever node of `context` answers first, in its order, beginning with the one that did last; `name` is for messages. */
export function contextDoor(name: string, context: ClusterContext): Door {
  let answered = 0;
  return {
    place: `the context ${name}`,
    async open() {
      const places = context.api.map((place, index) => ({ place, index }));
      const order = [...places.slice(answered), ...places.slice(0, answered)];
      const { socket, index } = await firstOf(order, context).catch((failures: unknown) => {
        const text = `no node of the context ${name} answers (${failures})`;
        throw new HansaError("CONTEXT_UNREACHABLE", text);
      });
      answered = index;
      return socket;
    },
    inOurWords: (error) => error,
  };
}

interface Place {
  readonly place: string;
  readonly index: number;
}

/** The first connection that stands, each place tried NEXT_MS after the one before it or when that failed. Rejects with a text of all failures. */
function firstOf(
  places: readonly Place[],
  context: ClusterContext,
): Promise<{ readonly socket: Socket; readonly index: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ socket: Socket; index: number }>();
  const failures: string[] = [];
  let next = 0;
  let isDone = false;
  let timer: NodeJS.Timeout | undefined;
  const tryNext = (): void => {
    clearTimeout(timer);
    const tried = places[next];
    next += 1;
    if (isDone || tried === undefined) return;
    timer = setTimeout(tryNext, NEXT_MS);
    openPlace(tried.place, context).then(
      (socket) => {
        clearTimeout(timer);
        if (isDone) socket.destroy();
        else resolve({ socket, index: tried.index });
        isDone = true;
      },
      (error: unknown) => {
        failures.push(`${tried.place}: ${error instanceof Error ? error.message : error}`);
        if (failures.length === places.length) reject(failures.join("; "));
        else if (next < places.length) tryNext();
      },
    );
  };
  tryNext();
  return promise;
}

function openPlace(
  place: string,
  { ca, certificate, privateKey }: ClusterContext,
): Promise<Socket> {
  const at = place.lastIndexOf(":");
  const host = place.slice(0, at).replace(/^\[|\]$/g, "");
  const named = isIP(host) === 0 ? { servername: host } : {};
  const port = Number(place.slice(at + 1));
  return openTls({ host, port, ca, cert: certificate, key: privateKey, ...named }, OPEN_MS);
}
