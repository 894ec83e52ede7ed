/**
 * Our nftables tables and our rules in DOCKER-USER, read and changed on the real host.
 *
 * Invariant: in DOCKER-USER only rules with our comment are touched, and the chain itself is Docker's to make.
 */
import { HansaError, isHansaError } from "../errors.ts";
import type { Command, CommandResult } from "../host/command.ts";
import { FAST_PATH_TABLE } from "./fast-path-plan.ts";
import { DOCKER_USER_TAG, FIREWALL_TABLE } from "./firewall-plan.ts";
import { HostTable } from "./host-table.ts";

const CHAIN = "DOCKER-USER";

export class HostFirewall {
  readonly #command: Command;
  readonly #table: HostTable;
  readonly #fastPath: HostTable;
  /** The fast path's text that this host refused last: not tried again. Undefined while none was. */
  #refused: string | undefined;

  constructor(command: Command) {
    this.#command = command;
    this.#table = new HostTable(command, FIREWALL_TABLE);
    this.#fastPath = new HostTable(command, FAST_PATH_TABLE);
  }

  /**
   * Makes the table `text`; `changed` when it was not so already. A fast path other than `fastPath` is removed before, for it might pass
   * what the new table drops; `fastPathStands` when it is that one.
   */
  async setTable(
    text: string,
    fastPath: string,
  ): Promise<{ readonly changed: boolean; readonly fastPathStands: boolean }> {
    const fastPathStands = await this.#keepsFastPath(fastPath);
    const result = await this.#table.set(text);
    if (result) need("nft", result);
    return { changed: result !== undefined, fastPathStands };
  }

  /**
   * Makes the fast path's table `text`; its devices must exist. What was done about it, for the log; undefined when nothing. Where the
   * kernel refuses it everything goes the ordinary way, which is told once, and the same text is not tried again unless `again`.
   */
  async setFastPath(text: string, again: boolean): Promise<string | undefined> {
    if (text === this.#refused && !again) return undefined;
    const result = await this.#fastPath.set(text);
    if (result === undefined) return undefined;
    if (result.status === 0) {
      this.#refused = undefined;
      return "fast path";
    }
    const isNews = this.#refused === undefined;
    this.#refused = text;
    return isNews ? `no fast path: ${complaint(result)}` : undefined;
  }

  async #keepsFastPath(text: string): Promise<boolean> {
    const found = await this.#fastPath.compare(text);
    if (found === "other") await this.#removeTable(this.#fastPath);
    return found === "same";
  }

  /** Makes our rules in DOCKER-USER exactly `rules`. "no-chain" when Docker has not made the chain. */
  async setDockerUser(
    rules: readonly (readonly string[])[],
  ): Promise<"same" | "changed" | "no-chain"> {
    const found = await this.#dockerUser();
    if (found === undefined) return "no-chain";
    const wanted = rules.map((rule) => rule.join(" "));
    const excess = [...found];
    const missing: string[] = [];
    for (const rule of wanted) {
      const at = excess.indexOf(rule);
      if (at < 0) missing.push(rule);
      else excess.splice(at, 1);
    }
    if (excess.length === 0 && missing.length === 0) return "same";
    // First in the chain, in our order: a rule of the user's that drops everything must not come before.
    const inserts = missing.toReversed().map((rule) => `-I ${CHAIN} 1 ${rule}`);
    const lines = ["*filter", ...excess.map((rule) => `-D ${CHAIN} ${rule}`), ...inserts, "COMMIT"];
    const argv = ["iptables-restore", "-w", "5", "--noflush"];
    need("iptables", await this.#command.run(argv, { stdin: `${lines.join("\n")}\n` }));
    return "changed";
  }

  /** Removes the tables and our rules. */
  async remove(): Promise<void> {
    await this.#removeTable(this.#fastPath);
    await this.#removeTable(this.#table);
    this.#refused = undefined;
    try {
      await this.setDockerUser([]);
    } catch (error) {
      // Without the program there are no rules of ours.
      if (!isHansaError(error, "TOOL_MISSING")) throw error;
    }
  }

  async #removeTable(table: HostTable): Promise<void> {
    const result = await table.remove();
    if (result) need("nft", result);
  }

  /** How many rules of ours DOCKER-USER holds; undefined when there is no such chain. */
  async countDockerUser(): Promise<number | undefined> {
    return (await this.#dockerUser())?.length;
  }

  /** Our rules in DOCKER-USER, without "-A DOCKER-USER"; undefined when there is no such chain. */
  async #dockerUser(): Promise<string[] | undefined> {
    const result = await this.#command.run(["iptables", "-w", "5", "-S", CHAIN]);
    if (result.status !== 0) return undefined;
    const prefix = `-A ${CHAIN} `;
    return result.stdout
      .split("\n")
      .filter((line) => line.startsWith(prefix) && line.includes(`--comment ${DOCKER_USER_TAG} `))
      .map((line) => line.slice(prefix.length));
  }
}

/** Throws OVERLAY_REFUSED with the program's first words of complaint unless `result` is a success. */
export function need(program: string, result: CommandResult): void {
  if (result.status === 0) return;
  throw new HansaError("OVERLAY_REFUSED", `${program} refused: ${complaint(result)}`);
}

function complaint({ stderr }: CommandResult): string {
  return (stderr.trim().split("\n", 1)[0] ?? "").slice(0, 300);
}
