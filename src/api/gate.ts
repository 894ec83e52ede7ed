/**
 * Keeps out, and puts out, whose certificate was called back or has ended, and slows down who asks too often: the one place that every caller goes through,
 * whatever says who it is.
 *
 * Invariant: between two sweeps nobody new is let in with such a certificate; after a sweep none of its requests, streams or idle connections is left.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { HansaError } from "../errors.ts";
import type { Caller } from "./caller.ts";
import { type Rate, TokenBuckets } from "./token-buckets.ts";

/** Of one certificate: more than a person or a well-meant program needs, less than what keeps a node busy. */
const RATE: Rate = { burst: 20_000, perSecond: 2_000 };
/** A change is written to disk and told to others. */
const CHANGE_COST = 100;

interface Connection {
  /** Requests under way, and who asked. */
  readonly calls: Map<ServerResponse, Caller>;
  last: Caller;
}

export class Gate {
  readonly #revocation: (caller: Caller) => string | undefined;
  readonly #nowMs: () => number;
  readonly #asked = new TokenBuckets(RATE);
  readonly #connections = new Map<Socket, Connection>();

  /** `revocation` says in a sentence why a caller's certificate is not good any more; undefined while it is. `nowMs` is monotonic. */
  constructor(
    revocation: (caller: Caller) => string | undefined,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#revocation = revocation;
    this.#nowMs = nowMs;
  }

  /**
   * Lets a request on `socket` in, which is answered by `response`; without one by something else, perhaps on another node, or it left HTTP. Throws
   * API_CERTIFICATE_REFUSED, naming the revocation, and API_RATE_LIMITED.
   */
  admit(caller: Caller, socket: Socket, response?: ServerResponse, isChange = false): void {
    const why = this.#revocation(caller);
    if (why !== undefined) {
      throw new HansaError("API_CERTIFICATE_REFUSED", why, {
        hint: "ask an admin of the cluster for another one: hansa context export",
      });
    }
    this.#slowDown(caller, isChange ? CHANGE_COST : 1);
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

  /** Nodes, and who may use the socket of one, are not counted. */
  #slowDown({ name, role, serial }: Caller, cost: number): void {
    if (serial === undefined || role === "node") return;
    const waitMs = this.#asked.take(serial, this.#nowMs(), cost);
    if (waitMs === 0) return;
    const seconds = Math.ceil(waitMs / 1_000);
    throw new HansaError("API_RATE_LIMITED", `${name} asks too often: wait ${seconds} s`);
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
