/**
 * What the overlay must know of Docker, kept on disk: after a restart of the host the overlay is set at once by what Docker was when it was last
 * seen, and set anew when it turns out to be another.
 *
 * Invariant: it is a memory only. A file that is missing, damaged or cannot be written costs the head start and nothing else.
 */
import type { EngineInfo } from "../docker/engine.ts";
import { codedSentence } from "../errors.ts";
import { atomicWriteSync, readJson } from "../host/files.ts";
import type { Logger } from "../host/logger.ts";
import type { DockerFacts } from "../overlay/overlay-config.ts";

const MAX_VERSION = 200;

export class DockerMemory {
  readonly #path: string;
  readonly #logger: Logger;
  #facts: DockerFacts | undefined;

  static async load(path: string, logger: Logger): Promise<DockerMemory> {
    const memory = new DockerMemory(path, logger);
    try {
      memory.#facts = await readJson(path, { parse: readFacts });
    } catch (error) {
      logger.warn("what Docker was cannot be read", { error: codedSentence(error) });
    }
    return memory;
  }

  private constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** Docker as it is, `now`, or as it was; undefined when it was never seen. What is new is on disk when it returns. */
  facts(now: DockerFacts | undefined): DockerFacts | undefined {
    if (now === undefined) return this.#facts;
    const { version, firewallBackend } = now;
    const known = this.#facts;
    if (known?.version === version && known.firewallBackend === firewallBackend) return known;
    this.#facts = { version, firewallBackend };
    try {
      const text = JSON.stringify({ format: 1, ...this.#facts });
      atomicWriteSync(this.#path, `${text}\n`, 0o600);
    } catch (error) {
      this.#logger.warn("what Docker is cannot be written", { error: codedSentence(error) });
    }
    return this.#facts;
  }
}

/** What of an Engine matters to the overlay. */
export function factsOf(info: EngineInfo | undefined): DockerFacts | undefined {
  if (info === undefined) return undefined;
  const firewallBackend = info.firewall === "nftables" ? "nftables" : "iptables";
  return { version: info.version, firewallBackend };
}

function readFacts(value: unknown): DockerFacts {
  const { format, version, firewallBackend } = (value ?? {}) as Record<string, unknown>;
  if (format !== 1 || typeof version !== "string" || version.length > MAX_VERSION) {
    throw new RangeError("docker.json");
  }
  if (firewallBackend !== "iptables" && firewallBackend !== "nftables") {
    throw new RangeError("docker.json");
  }
  return { version, firewallBackend };
}
