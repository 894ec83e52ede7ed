/**
 * Keeps out, and puts out, whose certificate was called back: the one place that every caller goes through, whatever says who it is.
 *
 * Invariant: between two sweeps nobody new is let in with such a certificate; after a sweep none of its requests, streams or idle connections is left.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { HansaError } from "../errors.ts";
import type { Caller } from "./caller.ts";

interface Connection {
  /** Requests under way, and who asked. */
  readonly calls: Map<ServerResponse, Caller>;
  last: Caller;
}

export class Gate {
  readonly #revocation: (caller: Caller) => string | undefined;
  readonly #connections = new Map<Socket, Connection>();

  /** `revocation` says in a sentence why a caller's certificate is not good any more; undefined while it is. */
  constructor(revocation: (caller: Caller) => string | undefined) {
    this.#revocation = revocation;
  }

  /**
   * Lets a request on `socket` in, which is answered by `response`; without one by something else, perhaps on another node, or it left HTTP. Throws
   * API_CERTIFICATE_REFUSED, naming the revocation.
   */
  admit(caller: Caller, socket: Socket, response?: ServerResponse): void {
    const why = this.#revocation(caller);
    if (why !== undefined) {
      throw new HansaError("API_CERTIFICATE_REFUSED", why, {
        hint: "ask an admin of the cluster for another one: hansa context export",
      });
    }
    const connection = this.#connectionOf(socket, caller);
    connection.last = caller;
    if (response === undefined) return;
    connection.calls.set(response, caller);
    response.once("close", () => connection.calls.delete(response));
  }

  /** Ends the connections of callers whose certificate was called back, in the middle of whatever they do; how many those were. */
  sweep(): number {
    const isOut = (caller: Caller): boolean => this.#revocation(caller) !== undefined;
    const ended = [...this.#connections]
      .filter(([, { calls, last }]) =>
        (calls.size === 0 ? [last] : [...calls.values()]).some(isOut),
      )
      .map(([socket]) => socket);
    for (const socket of ended) socket.destroy();
    return ended.length;
  }

  #connectionOf(socket: Socket, caller: Caller): Connection {
    const known = this.#connections.get(socket);
    if (known) return known;
    const connection = { calls: new Map<ServerResponse, Caller>(), last: caller };
    this.#connections.set(socket, connection);
    socket.once("close", () => this.#connections.delete(socket));
    return connection;
  }
}
