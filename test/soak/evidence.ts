/** Copies what is needed to understand a fault out of a playground before it is gone: logs, state, and what the kernel has. */
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Playground } from "../../src/playground/playground.ts";

const QUESTIONS: Readonly<Record<string, readonly string[]>> = {
  "status.json": ["hansa", "status", "-o", "json"],
  "status.txt": ["hansa", "status"],
  "inspect.json": ["hansa", "inspect"],
  "containers.txt": ["docker", "ps", "-a", "--no-trunc"],
  "network.json": ["docker", "network", "inspect", "hansa"],
  "processes.txt": ["ps", "-eo", "pid,ppid,stat,etime,args"],
  "links.txt": ["ip", "-d", "address"],
  "routes.txt": ["ip", "route", "show", "table", "all"],
  "firewall.txt": ["nft", "list", "ruleset"],
  // Without the keys.
  "tunnel.txt": [
    "sh",
    "-c",
    "wg show hansa-wg | sed 's/\\(private\\|preshared\\) key: .*/\\1 key: …/'",
  ],
};

/** One folder a host below `folder`; what cannot be had says why in its place. Secrets are not copied. */
export async function collectEvidence(playground: Playground, folder: string): Promise<void> {
  for (const host of playground.hosts()) {
    const target = join(folder, host.name);
    await mkdir(target, { recursive: true });
    await cp(join(host.stateDir, "log"), join(target, "log"), { recursive: true }).catch(() => {});
    await cp(join(host.stateDir, "hansa"), join(target, "hansa"), {
      recursive: true,
      filter: (source) => !source.endsWith("identity.json") && !source.endsWith(".sock"),
    }).catch(() => {});
    for (const [file, argv] of Object.entries(QUESTIONS)) {
      let text: string;
      try {
        const { stdout, stderr } = await host.exec(argv, { timeoutMs: 20_000 });
        text = `${stdout}${stderr}`;
      } catch (error) {
        text = `${error}\n`;
      }
      await writeFile(join(target, file), text);
    }
  }
}
