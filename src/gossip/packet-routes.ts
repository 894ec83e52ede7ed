/**
 * Where nodes with several addresses are reached now, and which questions and answers may have been lost on the way that was left.
 *
 * Invariant: nothing is kept while no node has another place than the one it announces.
 */
import type { Message } from "../membership/message.ts";
import type { Endpoint } from "../values/endpoint.ts";

/** A ping is answered within the probe's interval, or in vain. */
const KEPT_MS = 1_000;
const MAX_KEPT = 256;

export interface AwaitedPacket {
  readonly to: Endpoint;
  readonly messages: readonly Message[];
}

export class PacketRoutes {
  #routes: ReadonlyMap<string, string> = new Map();
  #hasChoice = false;
  #awaited: (AwaitedPacket & { readonly atMs: number; readonly via: string })[] = [];

  /** Where the node at `to` is reached. */
  of(to: Endpoint): Endpoint {
    const ip = this.#routes.get(to.ip);
    return ip === undefined ? to : { ip, port: to.port };
  }

  /** A packet goes out: questions and answers in it are kept for a moment. */
  note({ to, messages }: AwaitedPacket, nowMs: number): void {
    if (!this.#hasChoice || !messages.some(isAwaited)) return;
    this.#awaited = this.#awaited.filter(({ atMs }) => nowMs - atMs < KEPT_MS).slice(-MAX_KEPT);
    this.#awaited.push({
      to,
      messages: messages.filter(isAwaited),
      atMs: nowMs,
      via: this.of(to).ip,
    });
  }

  /** Takes new routes; what of the last moment went another way than they would now. */
  set(routes: ReadonlyMap<string, string>, nowMs: number): AwaitedPacket[] {
    this.#routes = routes;
    this.#hasChoice = routes.size > 0;
    const moved = this.#awaited.filter(
      ({ to, via, atMs }) => nowMs - atMs < KEPT_MS && via !== this.of(to).ip,
    );
    this.#awaited = this.#awaited.map((each) =>
      moved.includes(each) ? { ...each, via: this.of(each.to).ip } : each,
    );
    return moved;
  }
}

/** Nobody sends these again, and a member is suspected for want of one. The two ends do not move at one time, so an answer may be lost as well. */
function isAwaited({ type }: Message): boolean {
  return type === "ping" || type === "indirectPing" || type === "ack" || type === "nack";
}
