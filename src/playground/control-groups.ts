/**
 * Control groups of the hosts' containers, in whichever hierarchies this machine mounts (version 1, 2 or both).
 *
 * Docker makes them below the parent that it is told; a power cut leaves them, so they are removed here.
 */
import { existsSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../errors.ts";
import { CGROUP_PARENT, cgroupOf } from "./layout.ts";
import { until } from "./processes.ts";

const CGROUP_DIR = "/sys/fs/cgroup";

/** Removes the groups of host `i`, or of the whole playground where `i` is undefined. Their processes must be ending already. */
export async function removeControlGroups(name: string, i?: number): Promise<void> {
  for (const hierarchy of hierarchies()) {
    const group = join(hierarchy, cgroupOf(name, i));
    // A group stays busy until the kernel has let go of its last dead process.
    await until(
      () => isRemoved(group),
      60_000,
      () => `the control group ${group} stays busy`,
    );
    if (i === undefined) isRemovedEmpty(join(hierarchy, CGROUP_PARENT));
  }
}

function hierarchies(): readonly string[] {
  if (existsSync(join(CGROUP_DIR, "cgroup.controllers"))) return [CGROUP_DIR];
  return readdirSync(CGROUP_DIR, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(CGROUP_DIR, entry.name));
}

/** Removes a group after its children; false when something in it is still busy. */
function isRemoved(group: string): boolean {
  if (!existsSync(group)) return true;
  const children = readdirSync(group, { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  const isEmpty = children.every((child) => isRemoved(join(group, child.name)));
  return isEmpty && isRemovedEmpty(group);
}

function isRemovedEmpty(group: string): boolean {
  try {
    rmdirSync(group);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return true;
    if (isErrno(error, "EBUSY") || isErrno(error, "ENOTEMPTY")) return false;
    throw error;
  }
}
