/**
 * What the overlay must know of Docker, remembered: after a restart of the host the overlay is set at once by what Docker was when it was
 * last seen, and set anew when it turns out to be another.
 */
import type { EngineInfo } from "../../docker/engine.ts";
import type { Logger } from "../../host/logger.ts";
import type { DockerFacts } from "../../overlay/overlay-config.ts";
import { Remembered } from "./remembered.ts";

const MAX_VERSION = 200;

/** The memory in the file `path`. */
export function dockerMemory(path: string, logger: Logger): Promise<Remembered<DockerFacts>> {
  return Remembered.load(path, readFacts, logger);
}

/** What of an Engine matters to the overlay. */
export function factsOf(info: EngineInfo | undefined): DockerFacts | undefined {
  if (info === undefined) return undefined;
  const firewallBackend = info.firewall === "nftables" ? "nftables" : "iptables";
  return { version: info.version, firewallBackend };
}

function readFacts({ version, firewallBackend }: Readonly<Record<string, unknown>>): DockerFacts {
  if (typeof version !== "string" || version.length > MAX_VERSION) throw new RangeError("version");
  if (firewallBackend !== "iptables" && firewallBackend !== "nftables") {
    throw new RangeError("firewall backend");
  }
  return { version, firewallBackend };
}
