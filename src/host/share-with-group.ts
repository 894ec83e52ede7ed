/** Gives a unix socket to a group, whose members may then connect. */
import { chmodSync, chownSync, readFileSync } from "node:fs";
import { isErrno } from "../errors.ts";

/** Makes `path` 0660 for `group`, where the host has that group and we may give files to it; leaves it alone otherwise. */
export function shareWithGroup(path: string, group: string): void {
  const gid = groupId(group);
  if (gid === undefined) return;
  try {
    chownSync(path, -1, gid);
  } catch (error) {
    // Only root may give files to a group it is not in; then the socket stays ours alone.
    if (isErrno(error, "EPERM")) return;
    throw error;
  }
  chmodSync(path, 0o660);
}

function groupId(name: string): number | undefined {
  const line = readFileSync("/etc/group", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${name}:`));
  const gid = line?.split(":")[2];
  return gid === undefined ? undefined : Number(gid);
}
