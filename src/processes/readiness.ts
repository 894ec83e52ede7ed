/**
 * Waiting for a process to answer on its socket, and saying why when it does not.
 */
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { HansaError, isErrno } from "../errors.ts";
import { unixRequest } from "../host/unix-http.ts";
import { lastSentence } from "./log-file.ts";

export interface Wait {
  readonly timeoutMs: number;
  /** Asked after each failed try: true when the process has died and waiting is in vain. */
  readonly hasDied?: () => boolean;
  /** Called about once a second while waiting, with whole seconds waited. */
  readonly onProgress?: (seconds: number) => void;
}

const TRY_EVERY_MS = 10;

/** True when a daemon answers on `socketPath` now. */
export async function daemonAnswers(socketPath: string): Promise<boolean> {
  // Who starts a daemon asks many times before there is anything to ask.
  if (!existsSync(socketPath)) return false;
  try {
    const request = { socketPath, path: "/v1/version", timeoutMs: 2000, maxBytes: 65_536 };
    return (await unixRequest(request)).status === 200;
  } catch (error) {
    if (isSilence(error)) return false;
    throw error;
  }
}

/** True when something accepts connections there now: at a path, or at a port of loopback. */
export async function socketAccepts(place: string | number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const socket = typeof place === "string" ? connect(place) : connect(place, "127.0.0.1");
  socket.setTimeout(2000, () => socket.destroy(silence()));
  socket.once("connect", () => resolve(true));
  socket.once("error", (error) => (isSilence(error) ? resolve(false) : reject(error)));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

/** Repeats `ask` until it says true; "died" or "late" otherwise. */
export async function waitFor(
  ask: () => Promise<boolean>,
  wait: Wait,
): Promise<"ready" | "died" | "late"> {
  const start = performance.now();
  let told = 0;
  for (;;) {
    if (await ask()) return "ready";
    if (wait.hasDied?.() === true) return "died";
    const waited = performance.now() - start;
    if (waited > wait.timeoutMs) return "late";
    const seconds = Math.floor(waited / 1000);
    if (seconds > told) wait.onProgress?.(seconds);
    told = seconds;
    await new Promise((resolve) => setTimeout(resolve, TRY_EVERY_MS));
  }
}

/** The error for a process that did not come up, with the last sentence of its log. */
export function notUp(
  name: string,
  how: "died" | "late",
  timeoutMs: number,
  log?: { readonly path: string; readonly fromByte: number },
): HansaError {
  const said = log === undefined ? undefined : lastSentence(log.path, log.fromByte);
  const why = said === undefined ? "" : `: ${said}`;
  const what = how === "died" ? "ended at once" : `did not answer within ${timeoutMs / 1000} s`;
  const hint = log === undefined ? `see journalctl -u hansa` : `see ${log.path}`;
  return new HansaError("NODE_NOT_RUNNING", `the ${name} ${what}${why}`, { hint });
}

function silence(): Error {
  return Object.assign(new Error("no answer"), { code: "ETIMEDOUT" });
}

function isSilence(error: unknown): boolean {
  const codes = ["ENOENT", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EPIPE", "ENOTDIR"];
  return codes.some((code) => isErrno(error, code));
}
