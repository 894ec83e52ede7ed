/**
 * Server-sent events through a door, as objects.
 *
 * Like `exchange` without node:http. The request is HTTP/1.0, to which a server answers without chunks: what follows the head is the
 * stream itself. Its length is not bounded, but that of each event is.
 */
import { SILENT_MS } from "../api/event-stream.ts";
import type { Door } from "./door.ts";
import { parseResponse, type RawResponse, ResponseSyntaxError } from "./parse-response.ts";

const MAX_EVENT_BYTES = 256 * 1024 * 1024;
const LF = 0x0a;

/**
 * The JSON values of the events at `path`, until `signal` aborts, which ends it without an error, or the server ends.
 *
 * Throws the system's error (ENOENT, ECONNREFUSED, ECONNRESET also after SILENT_MS without a sign of life), a ResponseSyntaxError for what is no
 * stream of events (`heard` is told of each piece that comes, also of mere signs of life), and `refused(answer)` for another status than 200 and for an event that is an error.
 */
export async function* events(
  door: Door,
  path: string,
  signal: AbortSignal,
  refused: (answer: RawResponse) => unknown,
  heard: () => void = () => undefined,
): AsyncGenerator<unknown> {
  if (signal.aborted) return;
  const socket = await door.open();
  // A node that is cut off ends no connection; one that runs tells at least that it does.
  socket.setTimeout(SILENT_MS, () => socket.destroy(timedOut(door)));
  const abort = (): void => void socket.destroy();
  signal.addEventListener("abort", abort, { once: true });
  socket.write(
    `GET ${path} HTTP/1.0\r\nhost: localhost\r\naccept: text/event-stream, application/json\r\n\r\n`,
  );
  // Put together only where something ends: a large event comes in hundreds of pieces.
  let pieces: Buffer[] = [];
  let bytes = 0;
  let text: Buffer = Buffer.alloc(0);
  let isStream = false;
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      heard();
      const mayEnd = !isStream || chunk.includes("\n\n") || (chunk[0] === LF && bytes > 0);
      pieces.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_EVENT_BYTES) throw new ResponseSyntaxError("an event is too long");
      if (!mayEnd) continue;
      text = Buffer.concat(pieces);
      pieces = [text];
      if (!isStream) {
        const headEnd = text.indexOf("\r\n\r\n");
        if (headEnd < 0 || !isOk(text)) continue;
        isStream = true;
        text = text.subarray(headEnd + 4);
      }
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const event = text.toString("utf8", 0, end);
        text = text.subarray(end + 2);
        const lines = event.split("\n");
        const data = lines.filter((line) => line.startsWith("data: "));
        const body = data.map((line) => line.slice(6)).join("\n");
        // The node that we ask could not go on asking another one for us.
        if (lines.includes("event: error")) throw refused({ status: 503, body });
        if (data.length > 0) yield JSON.parse(body);
      }
      pieces = [text];
      bytes = text.length;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", abort);
    socket.destroy();
  }
  if (!isStream && !signal.aborted) throw refused(parseResponse(text));
}

function timedOut({ place }: Door): Error {
  const text = `nothing came from ${place} for ${SILENT_MS / 1000} s`;
  return Object.assign(new Error(text), { code: "ECONNRESET" });
}

/** Throws ResponseSyntaxError when the beginning is no HTTP at all. */
function isOk(text: Buffer): boolean {
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text.toString("latin1", 0, 32))?.[1];
  if (status === undefined) throw new ResponseSyntaxError("the answer is no HTTP");
  return status === "200";
}
