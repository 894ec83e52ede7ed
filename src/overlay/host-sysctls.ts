/** Kernel settings read and written under /proc/sys, which shows the caller's own network namespace. */
import { readFile, writeFile } from "node:fs/promises";
import { isErrno } from "../errors.ts";
import type { Sysctl } from "./overlay-config.ts";

/**
 * Makes the settings so; what could not be set comes back as problems, one sentence each. `changing` is told of each change before it
 * is made.
 */
export async function setSysctls(
  sysctls: readonly Sysctl[],
  changing: (path: string, was: number, set: number) => Promise<void> = async () => undefined,
): Promise<{ readonly changed: string[]; readonly problems: string[] }> {
  const changed: string[] = [];
  const problems: string[] = [];
  for (const sysctl of sysctls) {
    const file = `/proc/sys/${sysctl.path}`;
    try {
      const now = Number(await readFile(file, "utf8"));
      const fine = sysctl.rule === "exact" ? now === sysctl.value : now >= sysctl.value;
      if (fine) continue;
      await changing(sysctl.path, now, sysctl.value);
      await writeFile(file, String(sysctl.value));
      changed.push(`${sysctl.path} = ${sysctl.value}`);
    } catch (error) {
      if (isErrno(error, "ENOENT")) {
        // Required ones belong to an interface, whose absence is reported itself. Optional ones exist in the machine's own network
        // namespace only: in another one they are the machine's to set.
      } else if (isErrno(error, "EACCES") || isErrno(error, "EPERM") || isErrno(error, "EROFS")) {
        problems.push(
          `OVERLAY_SETTING_REFUSED: the setting ${sysctl.path} = ${sysctl.value} was not allowed`,
        );
      } else throw error;
    }
  }
  return { changed, problems };
}
