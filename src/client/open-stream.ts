/**
 * Opens a stream through a door: the request, what is asked and the first bytes in one flight, without node:http (see exchange.ts).
 */
import type { Socket } from "node:net";
import { HansaError } from "../errors.ts";
import { encodeStreamFrame, STREAM_VERSION } from "../streams/stream-frame.ts";
import { ClientStream } from "./client-stream.ts";
import type { Door } from "./door.ts";
import { parseResponse, type RawResponse, ResponseSyntaxError } from "./parse-response.ts";

/** A node may look for the container on others first. */
const ANSWER_MS = 20_000;
const MAX_HEAD = 1024 * 1024;

export interface StreamOpening {
  readonly door: Door;
  readonly method: "GET" | "POST";
  readonly path: string;
  /** The first frame, as JSON. */
  readonly open: unknown;
  /** The failure that an answer without an upgrade tells. */
  readonly refused: (answer: RawResponse) => unknown;
}

/**
 * The channel once the node agreed. Rejects with the system's error (ENOENT, ECONNREFUSED, ECONNRESET…), with a ResponseSyntaxError for what is no
 * answer, and with `refused(answer)`.
 */
export async function openStream(opening: StreamOpening): Promise<ClientStream> {
  const { door, method, path, open, refused } = opening;
  const socket = await door.open();
  const request = `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: hansa-stream\r\n\r\n`;
  const first = encodeStreamFrame({ kind: "open", json: JSON.stringify(open) });
  socket.write(Buffer.concat([Buffer.from(request), Buffer.of(STREAM_VERSION), first]));
  const { head, rest } = await headOf(socket);
  if (/^HTTP\/1\.1 101 /.test(head)) {
    return new ClientStream(socket, rest);
  }
  const chunks = [Buffer.from(head, "latin1"), rest];
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    if (chunks.reduce((sum, { length }) => sum + length, 0) > MAX_HEAD) break;
  }
  socket.destroy();
  throw refused(parseResponse(Buffer.concat(chunks)));
}

/** The answer's head with its empty line, and what came behind it. Leaves the socket without listeners and paused. */
function headOf(socket: Socket): Promise<{ readonly head: string; readonly rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const timer = setTimeout(() => fail(noAnswer()), ANSWER_MS);
    const settle = (): void => {
      clearTimeout(timer);
      socket.off("data", take).off("end", ended).off("error", fail);
      socket.pause();
    };
    const fail = (error: Error): void => {
      settle();
      socket.on("error", () => undefined);
      socket.destroy();
      reject(error);
    };
    const ended = (): void => fail(new ResponseSyntaxError("the answer is cut short in its head"));
    const take = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf("\r\n\r\n");
      if (end < 0 && bytes.length > MAX_HEAD) ended();
      if (end < 0) return;
      settle();
      resolve({ head: bytes.toString("latin1", 0, end + 4), rest: bytes.subarray(end + 4) });
    };
    socket.on("data", take).on("end", ended).on("error", fail);
  });
}

function noAnswer(): HansaError {
  return new HansaError("STREAM_LOST", `the node did not answer within ${ANSWER_MS / 1_000} s`);
}
