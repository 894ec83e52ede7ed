/**
 * How the API says failures outside of its routes: the same bodies and headers, on a response or on a bare connection.
 *
 * Invariant: who asked too often is told when to come back, wherever that is noticed, for the error's hint says so.
 */
import { ERRORS, type ErrorCode, type HansaError } from "../errors.ts";

/** No rate is so low that one more request has to wait longer. */
const RETRY_AFTER_S = 1;

/** The headers that go with an error, beside its body's. */
export function refusalHeaders(code: ErrorCode): Readonly<Record<string, string>> {
  return code === "API_RATE_LIMITED" ? { "retry-after": `${RETRY_AFTER_S}` } : {};
}

export function refusalBody({ code, message, hint }: HansaError): string {
  return JSON.stringify({ error: { code, message, hint } });
}

/** The whole answer, for a connection that asked to leave HTTP; it ends with it. */
export function refusalText(error: HansaError): string {
  const body = refusalBody(error);
  const headers = {
    "content-type": "application/json",
    "content-length": `${Buffer.byteLength(body)}`,
    ...refusalHeaders(error.code),
    connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${ERRORS[error.code].status} Refused\r\n${lines.join("")}\r\n${body}`;
}
