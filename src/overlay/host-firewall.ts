/**
 * Our nftables table and our rules in DOCKER-USER, read and changed on the real host.
 *
 * Invariant: the table is replaced in one transaction, so no packet meets half of it; in DOCKER-USER only rules with our
 * comment are touched, and the chain itself is Docker's to make.
 */
import { HansaError, isHansaError } from "../errors.ts";
import type { Command, CommandResult } from "../host/command.ts";
import { DOCKER_USER_TAG, FIREWALL_TABLE } from "./firewall-plan.ts";

const CHAIN = "DOCKER-USER";

export class HostFirewall {
  readonly #command: Command;
  /** Our text and how this host's nft lists it, where that is not the same: versions differ in spelling. */
  #listed: { readonly text: string; readonly listing: string } | undefined;

  constructor(command: Command) {
    this.#command = command;
  }

  /** Makes the table `text`; true when it was not so already. */
  async setTable(text: string): Promise<boolean> {
    const listing = await this.#list();
    if (listing === text) return false;
    if (this.#listed?.text === text && this.#listed.listing === listing) return false;
    const table = FIREWALL_TABLE.join(" ");
    const input = `add table ${table}\ndelete table ${table}\n${text}`;
    need("nft", await this.#command.run(["nft", "-f", "-"], { stdin: input }));
    const now = await this.#list();
    this.#listed = now === undefined || now === text ? undefined : { text, listing: now };
    return true;
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

  /** Removes the table and our rules. */
  async remove(): Promise<void> {
    const table = FIREWALL_TABLE.join(" ");
    // Adding first makes the deletion succeed also when there is none.
    const input = `add table ${table}\ndelete table ${table}\n`;
    need("nft", await this.#command.run(["nft", "-f", "-"], { stdin: input }));
    this.#listed = undefined;
    try {
      await this.setDockerUser([]);
    } catch (error) {
      // Without the program there are no rules of ours.
      if (!isHansaError(error, "TOOL_MISSING")) throw error;
    }
  }

  async #list(): Promise<string | undefined> {
    const result = await this.#command.run(["nft", "-s", "list", "table", ...FIREWALL_TABLE]);
    return result.status === 0 ? result.stdout : undefined;
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
  const words = result.stderr.trim().split("\n", 1)[0] ?? "";
  throw new HansaError("OVERLAY_REFUSED", `${program} refused: ${words.slice(0, 300)}`);
}
