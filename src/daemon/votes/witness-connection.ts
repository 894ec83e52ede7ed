/**
 * Connections from a node to the witness: TLS 1.3, both certificates of the store's authority, and the witness' key as it was written down at its setup.
 *
 * Invariant: nothing is sent to another key than that one, whoever signed it.
 */
import type { Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { HansaError } from "../../errors.ts";
import { type Fields, LineChannel, refusalOf } from "../../host/line-channel.ts";
import { derHash } from "../../identity/signing-request.ts";
import type { StoreTls } from "../../store/store-tls.ts";
import type { WitnessRecord } from "../../store/witness-record.ts";
import { CLAIM, MAX_WITNESS_LINE, type WitnessProtocol } from "../../witness/witness-protocol.ts";

const DIAL_MS = 5000;
const KEEP_ALIVE_MS = 15_000;

export interface WitnessPlace {
  readonly host: string;
  readonly port: number;
}

/** A connection of the caller's own. Throws WITNESS_UNREACHABLE. */
export async function dialWitness(
  { host, port, key }: Pick<WitnessRecord, "host" | "port" | "key">,
  protocol: WitnessProtocol,
  { key: own, cert, ca }: StoreTls,
): Promise<TLSSocket> {
  const shown = { key: own, cert, ca: [...ca] };
  const socket = await dialled({ host, port }, protocol, shown);
  if (!socket.authorized || keyHashOf(socket) !== key) {
    socket.destroy();
    const text = `${host}:${port} is not the witness that was set up`;
    throw new HansaError("WITNESS_UNREACHABLE", text, {
      hint: "was it set up anew for somebody else? hansa qdevice remove, and then setup again",
    });
  }
  return socket;
}

/** A connection to a box of which nothing is known yet, and the hash of its key. Throws WITNESS_UNREACHABLE. */
export async function dialStranger(place: WitnessPlace): Promise<[TLSSocket, string]> {
  const socket = await dialled(place, CLAIM, {});
  return [socket, keyHashOf(socket)];
}

function keyHashOf(socket: TLSSocket): string {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return "none";
  return derHash(certificate.publicKey.export({ format: "der", type: "spki" }));
}

function dialled(
  { host, port }: WitnessPlace,
  protocol: WitnessProtocol,
  shown: { readonly key?: string; readonly cert?: string; readonly ca?: string[] },
): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const socket = connect({
    ...{ host, port, ...shown, minVersion: "TLSv1.3" as const, ALPNProtocols: [protocol] },
    // The key itself is looked at, by the callers above; its certificate is for loopback, where etcd is, whatever the box is called.
    ...{ rejectUnauthorized: false, checkServerIdentity: () => undefined },
  });
  const fail = (error: Error): void => {
    clearTimeout(timer);
    const text = `the witness at ${host}:${port} is not reached: ${error.message}`;
    reject(new HansaError("WITNESS_UNREACHABLE", text, { cause: error }));
  };
  const timer = setTimeout(
    () => socket.destroy(new Error(`no answer within ${DIAL_MS / 1000} s`)),
    DIAL_MS,
  );
  socket.once("error", fail);
  socket.once("secureConnect", () => {
    clearTimeout(timer);
    socket.off("error", fail);
    socket.on("error", () => socket.destroy());
    socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
    resolve(socket);
  });
  return promise;
}

/** Questions over one connection. */
export class WitnessTalk {
  readonly #channel: LineChannel;
  readonly #title: string;

  constructor(socket: Socket, title: string, closed: () => void = () => undefined) {
    this.#title = title;
    this.#channel = new LineChannel(socket, {
      ...{ maxLineBytes: MAX_WITNESS_LINE, closed },
      note: () => socket.destroy(),
      request: () => {
        throw new HansaError("USAGE", "a node answers nothing here");
      },
    });
  }

  /** Throws WITNESS_UNREACHABLE when no answer comes, and as the witness refuses. */
  async ask(op: string, fields: Fields, timeoutMs: number): Promise<Fields> {
    const answer = await this.#channel.request(op, fields, timeoutMs);
    if (answer === undefined) {
      throw new HansaError("WITNESS_UNREACHABLE", `${this.#title} does not answer`);
    }
    if (!answer.ok) throw refusalOf(answer);
    return answer.fields;
  }

  close(): void {
    this.#channel.close();
  }
}
