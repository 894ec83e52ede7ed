/** A cluster of five whose hosts 1 to 4 have a vote in one store, through the executable as a user would. */
import { setTimeout as pause } from "node:timers/promises";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { smallDisk } from "./disk-trouble.ts";
import type { World } from "./faults.ts";

const TOKEN = "a-token-of-tests-2471";
const PATIENCE_MS = 180_000;

export interface FourOptions {
  /** Each node is told of the addresses of its host's first two links. */
  readonly hasLinks?: boolean;
  /** The state lies on a disk that is nearly full, and which a power cut empties. */
  readonly hasSmallDisks?: boolean;
}

/** Throws with the program's own words where a command fails. */
export async function storeOfFour(
  playground: Playground,
  { hasLinks = false, hasSmallDisks = false }: FourOptions = {},
): Promise<World> {
  const members = playground.hosts();
  await Promise.all(
    members.map(async (host) => {
      if (hasSmallDisks) {
        await smallDisk(host);
      }
      const own = hasLinks ? ["--link0", host.ip(0), "--link1", host.ip(1)] : [];
      const words = ["--id", `${host.number}`, "--token", TOKEN, ...own, "host1", "host2"];
      await must(host, "hansa", "launch", ...words);
    }),
  );
  await must(playground.host(1), "hansa", "create", "history");
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const { stdout } = await playground.host(1).exec(["hansa", "store", "-o", "json"]);
    const votes = stdout === "" ? undefined : JSON.parse(stdout).votes;
    if (votes?.answering === 4) break;
    if (performance.now() > endMs) throw new Error(`four votes do not answer: ${stdout}`);
    await pause(200);
  }
  return { playground, voters: members.filter(({ number }) => number <= 4) };
}

async function must(host: Host, ...argv: string[]): Promise<void> {
  const { status, stdout, stderr } = await host.exec(argv);
  if (status !== 0) throw new Error(`${argv.slice(0, 2).join(" ")}: ${stdout}${stderr}`);
}
