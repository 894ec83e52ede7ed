/** Commands that change the host need root; those that only talk to the daemon need its socket. */
import { HansaError } from "../errors.ts";
import type { Context } from "./command.ts";

/** Throws ROOT_REQUIRED unless root runs the program. */
export function requireRoot(context: Context, command: string): void {
  if (context.isRoot) return;
  throw new HansaError(
    "ROOT_REQUIRED",
    `root privileges required for ${context.program} ${command}`,
  );
}
