/**
 * Finds out whether this node and a host that is about to join reach each other at the ports that a node needs: the host listens there and echoes, and sends
 * datagrams to our ports.
 *
 * Invariants: a port counts as open only when the host's own 16 bytes were seen, so that no firewall that answers for others deceives; datagrams for our
 * sockets are counted behind all filters of the host and then dropped, so that gossip and the tunnel never see them; the table is gone afterwards,
 * and that of a daemon which died in between at the next one's start, which takes none of a check that is under way.
 */
import { createSocket } from "node:dgram";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { connect, isIP } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { JoinCheck, JoinChecked } from "../../api/join-info-schemas.ts";
import { HansaError } from "../../errors.ts";
import type { Command } from "../../host/command.ts";
import type { Ports } from "../../processes/node-file.ts";

/** Each of them has the firewall changed twice. */
const MAX_AT_ONCE = 8;
const PROBE_MS = 2_500;
const AGAIN_MS = 150;
/** The host sends every 50 ms: one of each has come by then where the way is open. */
const FIRST_LOOK_MS = 70;
const TABLE_PREFIX = "hansa_join_";
const TABLE = /^hansa_join_[0-9a-f]{16}$/;

export type PathResult = JoinChecked["paths"][number];

export class JoinerCheck {
  readonly #command: Command;
  readonly #ports: Pick<Ports, "gossip" | "overlay">;
  #running = 0;
  readonly #mark: string;
  /** Of checks that are under way. */
  readonly #tables = new Set<string>();
  /** One of them could not be taken away: the next start looks for it. */
  #hasLeft = false;

  /** `mark` is a file that is there while there may be tables of ours. */
  constructor(command: Command, ports: Pick<Ports, "gossip" | "overlay">, mark: string) {
    this.#command = command;
    this.#ports = ports;
    this.#mark = mark;
  }

  /**
   * Takes away the tables of checks that a daemon before this one died in: they hold nothing up, and are nobody's any more. Starts no program where none
   * did. Throws OVERLAY_REFUSED.
   */
  async clear(): Promise<void> {
    if (!existsSync(this.#mark)) return;
    const { status, stdout, stderr } = await this.#command.run(["nft", "list", "tables", "inet"]);
    if (status !== 0) {
      throw new HansaError("OVERLAY_REFUSED", `nft lists no tables: ${stderr.slice(0, 200)}`);
    }
    const left = [...stdout.matchAll(/^table inet (\S+)$/gm)].flatMap(([, name]) => name ?? []);
    for (const table of left.filter((name) => TABLE.test(name))) {
      if (!this.#tables.has(table)) await this.#remove(table);
    }
    this.#unmark();
  }

  /** A mark too many costs one look at the next start; one too few would leave a table. */
  #unmark(): void {
    if (this.#tables.size === 0 && !this.#hasLeft) rmSync(this.#mark, { force: true });
  }

  async check(request: JoinCheck, from: string): Promise<JoinChecked> {
    const address = (request.address ?? from).replace(/^::ffff:/, "");
    if (isIP(address) === 0) throw new HansaError("USAGE", "there is no address to look for");
    if (this.#running >= MAX_AT_ONCE) {
      throw new HansaError("JOINS_MANY", `${MAX_AT_ONCE} hosts are being checked already`);
    }
    this.#running += 1;
    try {
      const nonce = Buffer.from(request.nonce, "hex");
      const { gossip, overlay, api } = request.ports;
      const tcp = [gossip, ...(request.hasRelay ? [overlay] : []), api];
      const found = await Promise.all([
        ...tcp.map((port) => this.#tcp(address, port, nonce)),
        ...[gossip, overlay].map((port) => this.#udp(address, port, nonce)),
        this.#arrivals(request.nonce),
      ]);
      return { address, paths: found.flat() };
    } finally {
      this.#running -= 1;
    }
  }

  #tcp(host: string, port: number, nonce: Buffer): Promise<PathResult> {
    const { promise, resolve } = Promise.withResolvers<PathResult>();
    const done = (isOpen: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ direction: "to-host", protocol: "tcp", port, isOpen });
    };
    const socket = connect({ host, port });
    const timer = setTimeout(() => done(false), PROBE_MS);
    let got: Buffer = Buffer.alloc(0);
    socket.on("connect", () => socket.write(nonce));
    socket.on("data", (bytes: Buffer) => {
      got = Buffer.concat([got, bytes]);
      if (got.length >= nonce.length) done(got.equals(nonce));
    });
    // Whatever went wrong: it was not reached.
    socket.on("error", () => done(false));
    socket.on("close", () => done(false));
    return promise;
  }

  #udp(host: string, port: number, nonce: Buffer): Promise<PathResult> {
    const { promise, resolve } = Promise.withResolvers<PathResult>();
    const socket = createSocket(isIP(host) === 6 ? "udp6" : "udp4");
    let isDone = false;
    const done = (isOpen: boolean): void => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      clearInterval(again);
      socket.close();
      resolve({ direction: "to-host", protocol: "udp", port, isOpen });
    };
    const send = (): void => socket.send(nonce, port, host, () => undefined);
    const timer = setTimeout(() => done(false), PROBE_MS);
    const again = setInterval(send, AGAIN_MS);
    socket.on("message", (bytes) => {
      if (bytes.equals(nonce)) done(true);
    });
    socket.on("error", () => done(false));
    send();
    return promise;
  }

  get #udpPorts(): readonly number[] {
    return [this.#ports.gossip, this.#ports.overlay];
  }

  /** Which of our UDP ports the host's datagrams came to. */
  async #arrivals(nonce: string): Promise<PathResult[]> {
    const table = `${TABLE_PREFIX}${nonce.slice(0, 16)}`;
    const text = arrivalTable(table, this.#udpPorts, nonce);
    this.#tables.add(table);
    try {
      writeFileSync(this.#mark, "");
      return await this.#counted(table, text);
    } finally {
      this.#tables.delete(table);
      this.#unmark();
    }
  }

  /** What comes while `table`, which `text` makes, is there. */
  async #counted(table: string, text: string): Promise<PathResult[]> {
    const made = await this.#command.run(["nft", "-f", "-"], { stdin: text });
    if (made.status !== 0) {
      throw new HansaError(
        "OVERLAY_REFUSED",
        `nft refused to count datagrams: ${made.stderr.slice(0, 200)}`,
      );
    }
    try {
      const end = performance.now() + PROBE_MS;
      let counts: readonly number[] = [];
      while (performance.now() < end && !(counts.length > 0 && counts.every((each) => each > 0))) {
        await delay(counts.length === 0 ? FIRST_LOOK_MS : AGAIN_MS);
        const { stdout } = await this.#command.run(["nft", "list", "table", "inet", table]);
        counts = [...stdout.matchAll(/counter packets (\d+)/g)].map(([, packets]) =>
          Number(packets),
        );
      }
      return this.#udpPorts.map((port, index) => ({
        ...({ direction: "from-host", protocol: "udp", port } as const),
        isOpen: (counts[index] ?? 0) > 0,
      }));
    } finally {
      await this.#remove(table);
    }
  }

  async #remove(table: string): Promise<void> {
    const { status } = await this.#command.run(["nft", "delete", "table", "inet", table]);
    if (status !== 0) this.#hasLeft = true;
  }
}

/** Counts and drops datagrams to `ports` that begin with the nonce, after all other filters (priority 300). In the order of `ports`. */
export function arrivalTable(table: string, ports: readonly number[], nonce: string): string {
  const rules = ports.map((port) => `udp dport ${port} @th,64,128 0x${nonce} counter drop`);
  const chain = ["type filter hook input priority 300; policy accept;", ...rules];
  return `table inet ${table} {\n\tchain input {\n\t\t${chain.join("\n\t\t")}\n\t}\n}\n`;
}
