/**
 * Server-sent events through a door, as objects.
 *
 * Like `exchange` without node:http. The request is HTTP/1.0, to which a server answers without chunks: what follows the head is the
 * stream itself. Its length is not bounded, but that of each event is.
 */
import { SILENT_MS } from "../api/event-stream.ts";
import type { Door } from "./door.ts";
import { parseResponse, type RawResponse, ResponseSyntaxError } from "./parse-response.ts";

/** Where a reader is in a stream, over several connections. */
export interface Place {
  /** Of the last event, to be told where to go on. */
  id?: string;
  /** Told when events were missed: how many, or null where nobody knows. */
  readonly missed?: (count: number | null) => void;
  /** Told of each piece that comes, also of mere signs of life. */
  readonly heard?: () => void;
}

const MAX_EVENT_BYTES = 256 * 1024 * 1024;
const LF = 0x0a;
/** Goes into the head of the next request. */
const ID = /^[0-9a-z-]{1,64}$/;

/**
 * The JSON values of the events at `path`, until `signal` aborts, which ends it without an error, or the server ends.
 *
 * With an id in `place` it asks to go on behind that event, and keeps the newest id there.
 *
 * Throws the system's error (ENOENT, ECONNREFUSED, ECONNRESET also after SILENT_MS without a sign of life), a ResponseSyntaxError for what is no
 * stream of events, and `refused(answer)` for another status than 200 and for an event that is an error.
 */
export async function* events(
  door: Door,
  path: string,
  signal: AbortSignal,
  refused: (answer: RawResponse) => unknown,
  place: Place = {},
): AsyncGenerator<unknown> {
  if (signal.aborted) return;
  const socket = await door.open();
  // A node that is cut off ends no connection; one that runs tells at least that it does.
  socket.setTimeout(SILENT_MS, () => socket.destroy(timedOut(door)));
  const abort = (): void => void socket.destroy();
  signal.addEventListener("abort", abort, { once: true });
  const after = place.id === undefined ? "" : `last-event-id: ${place.id}\r\n`;
  socket.write(
    `GET ${path} HTTP/1.0\r\nhost: localhost\r\naccept: text/event-stream, application/json\r\n${after}\r\n`,
  );
  // Put together only where something ends: a large event comes in hundreds of pieces.
  let pieces: Buffer[] = [];
  let bytes = 0;
  let text: Buffer = Buffer.alloc(0);
  let isStream = false;
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      place.heard?.();
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
        const id = lines.find((line) => line.startsWith("id: "))?.slice(4);
        if (id !== undefined && ID.test(id)) place.id = id;
        if (lines.includes("event: gap")) place.missed?.(missedIn(body));
        else if (data.length > 0) yield JSON.parse(body);
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

function missedIn(body: string): number | null {
  const { missed } = JSON.parse(body) as { readonly missed?: unknown };
  return typeof missed === "number" ? missed : null;
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
