/**
 * Listens on this machine and joins each connection with a stream to a container's port.
 *
 * Invariant: a connection that fails ends alone, with a sentence; the listening goes on.
 */
import { createServer, isIP, type Server, type Socket } from "node:net";
import type { ClientStream } from "../client/client-stream.ts";
import type { NodeClient } from "../client/node-client.ts";
import { HansaError, isErrno } from "../errors.ts";
import type { Context } from "./command.ts";

export interface Forward {
  readonly address: string;
  readonly local: number;
  readonly port: number;
}

/** The same sentence again is told after so long. */
const TOLD_EVERY_MS = 10_000;
/** At one time, of one command. */
const MAX_CONNECTIONS = 256;

/** "80", "8080:80", "0.0.0.0:8080:80", "[::1]:8080:80"; undefined for anything else. Pure. */
export function parseForward(text: string): Forward | undefined {
  const match =
    /^(?:(?:\[([0-9a-fA-F:.]+)\]|(\d{1,3}(?:\.\d{1,3}){3}|localhost)):)?(\d{1,5})(?::(\d{1,5}))?$/.exec(
      text,
    );
  if (!match) return undefined;
  const [, six, four, first = "", second] = match;
  const address = six ?? (four === "localhost" ? "127.0.0.1" : four) ?? "127.0.0.1";
  // An address and one number: which of the two it is cannot be told.
  if ((six ?? four) !== undefined && second === undefined) return undefined;
  const [local, port] = [Number(first), Number(second ?? first)];
  if (isIP(address) === 0 || local > 65_535 || port < 1 || port > 65_535) return undefined;
  return { address, local, port };
}

/** 0 when the user ended it. Throws PORT_TAKEN, and what refuses the container at the start. */
export async function runPortForward(
  context: Context,
  container: string,
  forwards: readonly Forward[],
): Promise<number> {
  const signal = context.interrupted();
  const open = new Set<Socket>();
  const lastTold = new Map<string, number>();
  const servers: Server[] = [];
  try {
    for (const forward of forwards) {
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        open.add(socket);
        socket.once("close", () => open.delete(socket));
        void join(context.client, container, forward.port, socket, told);
      });
      server.maxConnections = MAX_CONNECTIONS;
      const local = await listening(server, forward);
      servers.push(server);
      const host = isIP(forward.address) === 6 ? `[${forward.address}]` : forward.address;
      context.note(`${host}:${local} leads to port ${forward.port} of ${container}`);
    }
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    return 0;
  } finally {
    for (const server of servers) server.close();
    for (const socket of open) socket.destroy();
  }

  function told(error: unknown): void {
    const sentence = error instanceof Error ? error.message : `${error}`;
    const nowMs = performance.now();
    if (nowMs - (lastTold.get(sentence) ?? Number.NEGATIVE_INFINITY) < TOLD_EVERY_MS) return;
    lastTold.clear();
    lastTold.set(sentence, nowMs);
    context.note(`a connection to ${container} was closed: ${sentence}`);
  }
}

function listening(server: Server, { address, local }: Forward): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) =>
      reject(
        isErrno(error, "EADDRINUSE") || isErrno(error, "EACCES") || isErrno(error, "EADDRNOTAVAIL")
          ? new HansaError(
              "PORT_TAKEN",
              `cannot listen on ${address} port ${local}: ${error.message}`,
              {
                hint: "choose another LOCAL port, or 0 for any that is free",
              },
            )
          : error,
      ),
    );
    server.listen({ host: address, port: local }, () => {
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : local);
    });
  });
}

/** One connection. Never rejects. */
async function join(
  client: NodeClient,
  container: string,
  port: number,
  socket: Socket,
  told: (error: unknown) => void,
): Promise<void> {
  let stream: ClientStream | undefined;
  // Who went away is not told of; the stream ends with it.
  socket.on("error", () => socket.destroy());
  socket.setNoDelay(true);
  try {
    const path = `/v1/containers/${encodeURIComponent(container)}/dial`;
    const opened = await client.stream({ method: "POST", path, open: { port } });
    stream = opened;
    socket.once("close", () => opened.close());
    await Promise.all([inwards(socket, opened), outwards(socket, opened)]);
    await opened.outcome;
    socket.end();
  } catch (error) {
    // The node's own words, where it said some.
    const reason = await stream?.outcome.catch((failure: unknown) => failure);
    if (!socket.destroyed) told(reason instanceof Error ? reason : error);
    socket.destroy();
    stream?.close();
  }
}

async function inwards(socket: Socket, stream: ClientStream): Promise<void> {
  // Its other direction goes on after the end of this one.
  const chunks: AsyncIterable<Buffer> = socket.iterator({ destroyOnReturn: false });
  for await (const bytes of chunks) await stream.send("stdin", bytes);
  stream.end("stdin");
}

async function outwards(socket: Socket, stream: ClientStream): Promise<void> {
  for await (const bytes of stream.bytes("stdout")) {
    await new Promise<void>((resolve, reject) => {
      socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }
  socket.end();
}
