/**
 * Handing over from a running process to its successor of another build: the successor is told whom it replaces, and ends it when it is
 * itself ready to take over. Until then nothing has changed, so that a successor that cannot start does no harm.
 */
import { isErrno } from "../errors.ts";
import { isRunning, type RunningProcess } from "./running-process.ts";

/** Names the process to be replaced, in the successor's environment. */
export const PREDECESSOR_VARIABLE = "HANSA_PREDECESSOR";

export interface Predecessor {
  hasEnded(): boolean;
  /** Does nothing once it has ended. */
  send(signal: "SIGTERM" | "SIGKILL"): void;
}

/** The text for the successor's environment. */
export function predecessorText({ pid, startTime }: RunningProcess): string {
  return `${pid} ${startTime}`;
}

/** Whom this process was started to replace, or undefined: nobody, or one that has ended already. */
export function predecessorOf(env: Readonly<NodeJS.ProcessEnv>): Predecessor | undefined {
  const match = /^(\d{1,10}) (\d{1,20})$/.exec(env[PREDECESSOR_VARIABLE] ?? "");
  if (match === null) return undefined;
  const running: RunningProcess = { pid: Number(match[1]), startTime: match[2] ?? "" };
  if (!isRunning(running)) return undefined;
  return {
    hasEnded: () => !isRunning(running),
    send: (signal) => sendSignal(running, signal),
  };
}

/** Sends it, to exactly this process; nothing when it has ended. */
export function sendSignal(running: RunningProcess, signal: NodeJS.Signals): void {
  try {
    if (isRunning(running)) process.kill(running.pid, signal);
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw error;
  }
}
