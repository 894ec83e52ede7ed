import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command, CommandOptions, CommandResult } from "../host/command.ts";
import { HostFirewall } from "./host-firewall.ts";

/** A host's nft: it keeps tables as they were given, and refuses those of the family netdev while `refuses` says why. */
class FakeNft implements Command {
  readonly tables = new Map<string, string>();
  /** What stood after each change, as the tables' first lines. */
  readonly states: string[][] = [];
  refuses: string | undefined;
  loads = 0;

  async run(argv: readonly string[], { stdin = "" }: CommandOptions = {}): Promise<CommandResult> {
    assert.equal(argv[0], "nft");
    if (argv.includes("list")) {
      const text = this.tables.get(argv.slice(-2).join(" "));
      return text === undefined ? refusal("No such file or directory") : success(text);
    }
    const [, name = "", text = ""] =
      /^add table (.*?)\ndelete table .*?\n(.*)$/s.exec(`${stdin}`) ?? [];
    this.loads += 1;
    if (this.refuses !== undefined && name.startsWith("netdev")) return refusal(this.refuses);
    if (text === "") this.tables.delete(name);
    else this.tables.set(name, text);
    this.states.push([...this.tables.values()].sort());
    return success("");
  }
}

function success(stdout: string): CommandResult {
  return { status: 0, stdout, stderr: "" };
}

function refusal(stderr: string): CommandResult {
  return { status: 1, stdout: "", stderr: `${stderr}\n` };
}

test("a kernel that refuses the fast path is told of once, whatever is tried later, and again after it took one", async () => {
  const nft = new FakeNft();
  const firewall = new HostFirewall(nft);
  nft.refuses = "Operation not supported";
  assert.equal(
    await firewall.setFastPath("fast 1", false),
    "no fast path: Operation not supported",
  );
  assert.equal(await firewall.setFastPath("fast 2", false), undefined);
  assert.equal(await firewall.setFastPath("fast 2", true), undefined);
  assert.equal(await firewall.setFastPath("fast 3", true), undefined);
  assert.deepEqual([...nft.tables.keys()], []);
  nft.refuses = undefined;
  assert.equal(await firewall.setFastPath("fast 3", true), "fast path");
  assert.equal(nft.tables.get("netdev hansa"), "fast 3");
  nft.refuses = "Device or resource busy";
  assert.equal(
    await firewall.setFastPath("fast 4", false),
    "no fast path: Device or resource busy",
  );
});

test("a refused text is tried again only when asked to, another at once", async () => {
  const nft = new FakeNft();
  const firewall = new HostFirewall(nft);
  nft.refuses = "Operation not supported";
  for (const [text, again, loads] of [
    ["fast 1", false, 1],
    ["fast 1", false, 1],
    ["fast 1", true, 2],
    ["fast 2", false, 3],
    ["fast 2", false, 3],
  ] as const) {
    await firewall.setFastPath(text, again);
    assert.equal(nft.loads, loads, `${text} ${again}`);
  }
});

test("a fast path that is not the wanted one is gone before the firewall changes", async () => {
  const nft = new FakeNft();
  const firewall = new HostFirewall(nft);
  assert.deepEqual(await firewall.setTable("rules 1", "fast 1"), {
    changed: true,
    fastPathStands: false,
  });
  await firewall.setFastPath("fast 1", false);
  assert.deepEqual(await firewall.setTable("rules 1", "fast 1"), {
    changed: false,
    fastPathStands: true,
  });
  await firewall.setTable("rules 2", "fast 2");
  await firewall.setFastPath("fast 2", false);
  assert.deepEqual(nft.states, [
    ["rules 1"],
    ["fast 1", "rules 1"],
    ["rules 1"],
    ["rules 2"],
    ["fast 2", "rules 2"],
  ]);
});
