/**
 * The dialling side of streams: connect, send one message, take one answer, close.
 *
 * Invariant: each exchange ends within its deadlines with a value, and leaves no socket and no timer behind.
 */
import { connect, isIP, type Socket } from "node:net";
import { isErrno } from "../errors.ts";
import type { Envelope } from "../membership/wire/packet.ts";
import { FrameReader } from "../membership/wire/stream-frame.ts";
import type { StreamMessage } from "../membership/wire/stream-message.ts";
import { type Endpoint, formatEndpoint } from "../values/endpoint.ts";
import type { Counters } from "./counters.ts";
import type { StreamFailure } from "./gossip-delegate.ts";

const CONNECT_MS = 5_000;
const ANSWER_MS = 10_000;

export type ExchangeResult =
  | { readonly ok: true; readonly message: StreamMessage }
  | { readonly ok: false; readonly reason: StreamFailure; readonly message: string };

export interface ExchangeOptions {
  /** Ends the exchange early, as "closed". */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds to connect: 5000 when left out. */
  readonly connectMs?: number;
  /** Milliseconds for the whole exchange: 10,000 when left out. */
  readonly totalMs?: number;
}

const WRONG_KEY = "authentication failed or other cluster";

export class StreamDialler {
  readonly #envelope: () => Envelope;
  readonly #counters: Counters;
  readonly #localAddress: string | undefined;
  readonly #cancels = new Set<(why: string) => void>();

  /**
   * `envelope` is asked for each exchange, so that keys can change. `localAddress` is where connections of its family come from;
   * left out, the host chooses.
   */
  constructor(envelope: () => Envelope, counters: Counters, localAddress?: string) {
    this.#envelope = envelope;
    this.#counters = counters;
    this.#localAddress = localAddress;
  }

  /** Exchanges under way. */
  get open(): number {
    return this.#cancels.size;
  }

  /** Sends `frame` (label and all) to `to` and waits for one message. */
  async exchange(
    to: Endpoint,
    frame: Uint8Array,
    options: ExchangeOptions = {},
  ): Promise<ExchangeResult> {
    const result = await this.#exchange(to, frame, options);
    if (!result.ok) this.#counters.streamsFailed += 1;
    return result;
  }

  /** Ends all exchanges as "closed". */
  close(): void {
    for (const cancel of [...this.#cancels]) cancel("hansa is stopping");
  }

  #source(to: Endpoint): { readonly localAddress?: string } {
    const localAddress = this.#localAddress;
    if (localAddress === undefined || isIP(localAddress) !== isIP(to.ip)) return {};
    return { localAddress };
  }

  #exchange(to: Endpoint, frame: Uint8Array, options: ExchangeOptions): Promise<ExchangeResult> {
    const where = formatEndpoint(to);
    if (isIP(to.ip) === 0 || to.port < 1 || to.port > 65_535) {
      return Promise.resolve(failure("unreachable", `${where} is no address to connect to`));
    }
    if (options.signal?.aborted) return Promise.resolve(failure("closed", "cancelled"));
    const { connectMs = CONNECT_MS, totalMs = ANSWER_MS } = options;
    this.#counters.streamsOut += 1;
    const reader = new FrameReader(this.#envelope(), false);
    return new Promise((resolve) => {
      const socket = connect({
        host: to.ip,
        port: to.port,
        noDelay: true,
        ...this.#source(to),
      });
      let isConnected = false;
      const finish = (result: ExchangeResult) => {
        clearTimeout(connectTimer);
        clearTimeout(totalTimer);
        options.signal?.removeEventListener("abort", onAbort);
        this.#cancels.delete(cancel);
        destroy(socket);
        resolve(result);
      };
      const cancel = (why: string) => finish(failure("closed", why));
      const onAbort = () => cancel("cancelled");
      const connectTimer = setTimeout(
        () => finish(failure("unanswered", `${where}/tcp does not answer`)),
        Math.min(connectMs, totalMs),
      );
      const totalTimer = setTimeout(
        () => finish(failure("unanswered", `${where} took the connection but did not answer`)),
        totalMs,
      );
      this.#cancels.add(cancel);
      options.signal?.addEventListener("abort", onAbort);

      socket.on("connect", () => {
        isConnected = true;
        clearTimeout(connectTimer);
        this.#counters.streamBytesOut += frame.length;
        socket.write(frame);
      });
      socket.on("data", (chunk) => {
        // Without an encoding chunks are always bytes; only the type does not know.
        if (typeof chunk === "string") return;
        this.#counters.streamBytesIn += chunk.length;
        const progress = reader.push(chunk);
        if (progress.kind === "message") finish({ ok: true, message: progress.message });
        else if (progress.kind === "refused") {
          finish(
            progress.reason === "authentication"
              ? failure("authentication", WRONG_KEY)
              : failure("protocol", `${where} answered in another protocol`),
          );
        }
      });
      // Whoever cannot decrypt us says nothing and ends the stream: that is how memberlist refuses a key.
      socket.on("end", () => finish(failure("authentication", WRONG_KEY)));
      // A reset says less: too many streams there, or a process that died.
      socket.on("error", (error) => finish(connectFailure(error, where, isConnected)));
      socket.on("close", () => finish(failure("closed", `${where} closed the connection`)));
    });
  }
}

function failure(reason: StreamFailure, message: string): ExchangeResult {
  return { ok: false, reason, message };
}

function connectFailure(error: Error, where: string, isConnected: boolean): ExchangeResult {
  if (isConnected || isErrno(error, "ECONNRESET")) {
    return failure("closed", `${where} broke the connection: ${error.message}`);
  }
  if (isErrno(error, "ECONNREFUSED")) return failure("refused", `${where}/tcp refuses connections`);
  if (isErrno(error, "ETIMEDOUT")) return failure("unanswered", `${where}/tcp does not answer`);
  return failure("unreachable", `${where} cannot be reached: ${error.message}`);
}

/** Destroys the socket; late errors of it concern nobody, since the exchange has its result. */
function destroy(socket: Socket): void {
  socket.removeAllListeners();
  socket.on("error", () => undefined);
  socket.destroy();
}
