/** The ways to a node's API: how a connection is opened, and what its failures are called. */
import { connect, type Socket } from "node:net";
import { HansaError, isErrno } from "../errors.ts";

export interface Door {
  /** Where it leads, for messages. */
  readonly place: string;
  /** A connection to write to. What fails later is an "error" of the socket. */
  open(): Promise<Socket>;
  /** A failure of a connection as a HansaError, or the failure itself when it is none of this door's. */
  inOurWords(error: unknown): unknown;
}

/** The daemon of this host. NODE_NOT_RUNNING when nobody serves `socketPath`, ROOT_REQUIRED when we may not use it. */
export function unixDoor(socketPath: string): Door {
  return {
    place: socketPath,
    open: async () => connect(socketPath),
    inOurWords(error) {
      if (["ENOENT", "ECONNREFUSED", "ENOTDIR"].some((errno) => isErrno(error, errno))) {
        return new HansaError("NODE_NOT_RUNNING", "hansa is not running on this host", {
          cause: error,
        });
      }
      if (isErrno(error, "EACCES") || isErrno(error, "EPERM")) {
        return new HansaError("ROOT_REQUIRED", `root privileges required to use ${socketPath}`, {
          hint: "run the same command with sudo, or as a member of the group hansa",
          cause: error,
        });
      }
      return error;
    },
  };
}
