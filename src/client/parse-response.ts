/** Reads a whole HTTP/1.1 response that ended with its connection: plain, with a length, or chunked. Pure. */

export interface RawResponse {
  readonly status: number;
  readonly body: string;
}

/** The bytes are no HTTP response, or only the beginning of one. */
export class ResponseSyntaxError extends Error {
  override readonly name = "ResponseSyntaxError";
}

/** Throws ResponseSyntaxError, and nothing else, on any other input. */
export function parseResponse(bytes: Buffer): RawResponse {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) throw new ResponseSyntaxError("the answer is cut short in its head");
  const [first = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)( |$)/.exec(first)?.[1];
  if (status === undefined) throw new ResponseSyntaxError("the answer is no HTTP");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const rest = bytes.subarray(headEnd + 4);
  return { status: Number(status), body: bodyOf(headers, rest).toString("utf8") };
}

function bodyOf(headers: ReadonlyMap<string, string>, rest: Buffer): Buffer {
  if (headers.get("transfer-encoding")?.toLowerCase() === "chunked") return dechunk(rest);
  const length = headers.get("content-length");
  if (length === undefined) return rest;
  if (!/^\d{1,10}$/.test(length) || rest.length < Number(length)) {
    throw new ResponseSyntaxError("the answer is cut short");
  }
  return rest.subarray(0, Number(length));
}

function dechunk(rest: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = rest.indexOf("\r\n", at);
    const size = /^([0-9a-f]{1,8})(;|$)/i.exec(rest.toString("latin1", at, Math.max(lineEnd, at)));
    if (lineEnd < 0 || !size) throw new ResponseSyntaxError("the answer is cut short in a chunk");
    const length = Number.parseInt(size[1] ?? "", 16);
    if (length === 0) return Buffer.concat(parts);
    const start = lineEnd + 2;
    if (start + length + 2 > rest.length) {
      throw new ResponseSyntaxError("the answer is cut short in a chunk");
    }
    parts.push(rest.subarray(start, start + length));
    at = start + length + 2;
  }
}
