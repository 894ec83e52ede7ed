/**
 * A network of the bench's own: a namespace with nothing but its loopback, so that its counters count the nodes' traffic only and
 * nobody else's ports are in the way.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Since the namespace was made; what is sent on loopback is received too, so one way is counted. */
export interface Traffic {
  /** UDP datagrams, as the kernel counts those that processes sent. */
  readonly datagrams: number;
  /** Packets and bytes on the wire, IP headers included, UDP and TCP. */
  readonly packets: number;
  readonly bytes: number;
}

export class NetworkNamespace implements Disposable {
  readonly name: string;
  /** Also a run that is interrupted leaves nothing behind, if whoever gets the signal calls process.exit. */
  readonly #remove = () => run("ip", "netns", "delete", this.name);

  constructor(name: string) {
    this.name = name;
    run("ip", "netns", "add", name);
    process.once("exit", this.#remove);
    run("ip", "-n", name, "link", "set", "lo", "up");
  }

  /** The command that runs `argv` in here. */
  inside(argv: readonly string[]): readonly string[] {
    return ["nsenter", `--net=/run/netns/${this.name}`, ...argv];
  }

  [Symbol.dispose](): void {
    process.off("exit", this.#remove);
    this.#remove();
  }
}

/** What crossed the loopback of the namespace that process `pid` lives in. */
export function trafficOf(pid: number): Traffic {
  const snmp = readFileSync(`/proc/${pid}/net/snmp`, "utf8").split("\n");
  const [names = [], values = []] = snmp
    .filter((line) => line.startsWith("Udp: "))
    .map((line) => line.split(" "));
  const lo = /^\s*lo:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/net/dev`, "utf8"))?.[1] ?? "";
  const [bytes = 0, packets = 0] = lo.split(/\s+/).map(Number);
  return { datagrams: Number(values[names.indexOf("OutDatagrams")]), packets, bytes };
}

function run(...[program = "", ...args]: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
}
