/**
 * One nftables table of ours on the real host, compared as text and replaced whole.
 *
 * Invariant: the table is replaced in one transaction, so no packet meets half of it.
 */
import type { Command, CommandResult } from "../host/command.ts";

export class HostTable {
  readonly #command: Command;
  readonly #name: readonly [family: string, name: string];
  /** Our text and how this host's nft lists it, where that is not the same: versions differ in spelling. */
  #listed: { readonly text: string; readonly listing: string } | undefined;

  constructor(command: Command, name: readonly [family: string, name: string]) {
    this.#command = command;
    this.#name = name;
  }

  /** What stands: the table as `text` has it, another of its name, or none (its family may be unknown to the kernel). */
  async compare(text: string): Promise<"same" | "other" | "none"> {
    const listing = await this.#list();
    if (listing === undefined) return "none";
    const known = this.#listed;
    return listing === text || (known?.text === text && known.listing === listing)
      ? "same"
      : "other";
  }

  /** Makes the table `text`; undefined when it was so already, else what nft said to it. */
  async set(text: string): Promise<CommandResult | undefined> {
    if ((await this.compare(text)) === "same") return undefined;
    const result = await this.#replace(text);
    const now = result.status === 0 ? await this.#list() : undefined;
    this.#listed = now === undefined || now === text ? undefined : { text, listing: now };
    return result;
  }

  /** Removes the table; what nft said to it, undefined when there was none. */
  async remove(): Promise<CommandResult | undefined> {
    this.#listed = undefined;
    return (await this.#list()) === undefined ? undefined : this.#replace("");
  }

  #replace(text: string): Promise<CommandResult> {
    const table = this.#name.join(" ");
    // Adding first makes the deletion succeed also when there is none.
    const stdin = `add table ${table}\ndelete table ${table}\n${text}`;
    return this.#command.run(["nft", "-f", "-"], { stdin });
  }

  async #list(): Promise<string | undefined> {
    const result = await this.#command.run(["nft", "-s", "list", "table", ...this.#name]);
    return result.status === 0 ? result.stdout : undefined;
  }
}
