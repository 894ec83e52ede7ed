/**
 * Joins a stream with a TCP connection: bytes both ways, each direction ended on its own.
 *
 * Invariant: who does not read holds up the other side, and nothing is gathered here beyond what sockets hold.
 */
import { connect, type Socket } from "node:net";
import type { NodeStream } from "../../api/node-stream.ts";
import { HansaError } from "../../errors.ts";

const CONNECT_MS = 5_000;

/** Resolves when both directions ended, and the stream with them. Throws CONTAINER_PORT_CLOSED when there is no connection. */
export async function joinWithPort(
  address: string,
  port: number,
  stream: NodeStream,
  connected: () => void,
): Promise<void> {
  const socket = await opened(address, port, stream);
  connected();
  stream.inform({ address: `${address}:${port}` });
  stream.signal.addEventListener("abort", () => socket.destroy(), { once: true });
  try {
    await Promise.all([outwards(socket, stream), inwards(socket, stream)]);
  } catch (error) {
    socket.destroy();
    if (stream.isOver) return;
    const reason = error instanceof Error ? error.message : error;
    throw new HansaError("CONTAINER_PORT_CLOSED", `${address}:${port} broke off: ${reason}`);
  }
  stream.exit(0);
}

async function outwards(socket: Socket, stream: NodeStream): Promise<void> {
  // Its other direction goes on after the end of this one.
  const chunks: AsyncIterable<Buffer> = socket.iterator({ destroyOnReturn: false });
  for await (const bytes of chunks) await stream.send("stdout", bytes);
  stream.end("stdout");
}

async function inwards(socket: Socket, stream: NodeStream): Promise<void> {
  for await (const bytes of stream.bytes("stdin")) {
    await new Promise<void>((resolve, reject) => {
      socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }
  socket.end();
}

function opened(host: string, port: number, stream: NodeStream): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true });
    const fail = (reason: string): void => {
      socket.destroy();
      reject(new HansaError("CONTAINER_PORT_CLOSED", `${host}:${port} does not answer: ${reason}`));
    };
    const timer = setTimeout(() => fail(`nothing within ${CONNECT_MS / 1_000} s`), CONNECT_MS);
    const failed = (error: Error): void => {
      clearTimeout(timer);
      fail(error.message);
    };
    const gone = (): void => failed(new Error("the client went away"));
    socket.once("error", failed);
    stream.signal.addEventListener("abort", gone, { once: true });
    socket.once("connect", () => {
      clearTimeout(timer);
      stream.signal.removeEventListener("abort", gone);
      socket.off("error", failed);
      // Who iterates or writes is told of it.
      socket.on("error", () => undefined);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}
