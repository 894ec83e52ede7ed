/**
 * Removes everything of a playground, whoever made it and however far it came.
 *
 * It needs no record: namespaces are found by name, processes by being in them, control groups and disk by path. The
 * record only helps with a host whose namespace has lost its name already.
 */
import { readdirSync, readFileSync } from "node:fs";
import { removeControlGroups } from "./control-groups.ts";
import { hostNetns, MAX_HOSTS, NETNS_DIR, playgroundDir, switchNetns } from "./layout.ts";
import { must, removeNetns } from "./network.ts";
import { killAll, type ProcessId, processesIn } from "./processes.ts";
import { readState } from "./state.ts";

/** Ends and removes all of playground `name`; does nothing when there is nothing. The caller holds the lock. */
export async function sweep(name: string): Promise<void> {
  const spaces = namespacesOf(name);
  await killAll([...recorded(name), ...processesIn(spaces)]);
  // A process may have been born between the look and the kill.
  await killAll(processesIn(spaces));
  await Promise.all(spaces.map(removeNetns));
  await removeControlGroups(name);
  for (const point of mountsBelow(playgroundDir(name))) await must(["umount", "-l", point]);
  await must(["rm", "-rf", "--one-file-system", "--", playgroundDir(name)]);
}

/** True when something of playground `name` exists. */
export function namespacesOf(name: string): readonly string[] {
  const own = new Set([switchNetns(name)]);
  for (let i = 1; i <= MAX_HOSTS; i += 1) own.add(hostNetns(name, i));
  return readNetns().filter((netns) => own.has(netns));
}

function readNetns(): readonly string[] {
  try {
    return readdirSync(NETNS_DIR);
  } catch {
    // The folder appears with the first namespace.
    return [];
  }
}

function recorded(name: string): readonly ProcessId[] {
  try {
    return Object.values(readState(name)?.running ?? {});
  } catch {
    // A damaged record must not keep anyone from removing the playground.
    return [];
  }
}

/** Mount points in this namespace at or below `folder`, innermost first. We make none; a user may have. */
function mountsBelow(folder: string): readonly string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((point) => point === folder || point.startsWith(`${folder}/`))
    .reverse();
}
