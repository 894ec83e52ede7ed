/** What is left of a playground on this machine, looked for without asking the playground's own code. */
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";

/** One line for each thing; empty when nothing is left. */
export function remainsOf(name: string): string[] {
  const found: string[] = [];
  const spaces = existsSync("/run/netns") ? readdirSync("/run/netns") : [];
  for (const netns of spaces) if (netns.startsWith(`${name}-`)) found.push(`namespace ${netns}`);
  const folder = `/var/lib/hansa-playground/${name}`;
  if (existsSync(folder)) found.push(folder);
  if (existsSync(`${folder}.lock`)) found.push(`${folder}.lock`);
  const mine = new RegExp(`(/hansa-playground/${name}/|/${name}-(switch|host))`);
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    if (mine.test(line)) found.push(`mount ${line}`);
  }
  for (const group of globSync(`/sys/fs/cgroup/{,*/}hansa-playground/${name}`)) found.push(group);
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    if (isOurs(pid, name)) found.push(`process ${pid}`);
  }
  return found;
}

/** By the environment that every process of a host inherits from its first one, and the relays from us. */
function isOurs(pid: string, name: string): boolean {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    return environment.includes(`HPG_NAME=${name}`) || words.includes(`/netns/${name}-`);
  } catch {
    // It ended meanwhile.
    return false;
  }
}
