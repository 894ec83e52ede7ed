/** `hansa ipam`: looks after addresses. `check` shows and mends this node's, `take-over` makes a vanished node's this node's. */
import { HansaError } from "../../errors.ts";
import type { Command, Context, Words } from "../command.ts";
import { addressCheckNotes, leasesText } from "../output/address-check-text.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { withProgress } from "../output/progress.ts";

export const ipam: Command = {
  name: "ipam",
  summary: "check addresses, or take over those of a node that is gone for good",
  details: `check shows each address that this node gave out: its container, why and how long ago it was given. With --repair those are
freed that no container has had for 10 seconds. The exit status is 1 when something is wrong and stays so.
take-over NODE makes the addresses of that node (id or name), which was lost for good, this node's own. It is refused
while any node hears it. If it still runs somewhere, its addresses are given out twice: that is confirmed with --yes. Run it on one node only.`,
  operands: { name: "check|take-over NODE", min: 1, max: 2, completes: ["check", "take-over"] },
  options: [
    { name: "repair", summary: "with check: free addresses that no container has" },
    { name: "yes", summary: "with take-over: the node is off for good" },
    OUTPUT_OPTION,
  ],
  asksNode: true,
  examples: ["ipam check", "ipam check --repair", "ipam take-over host3 --yes"],
  async run(words, context) {
    const [what, node] = words.operands;
    if (what === "check" && node === undefined) {
      only(words, "repair");
      return await check(words, context);
    }
    if (what === "take-over" && node !== undefined) {
      only(words, "yes");
      return await takeOver(words, node, context);
    }
    throw new HansaError("USAGE", "expected argument(s): check, or take-over NODE", {
      hint: "see hansa ipam --help",
    });
  },
};

async function check(words: Words, context: Context): Promise<number> {
  const format = formatOf(words);
  const repair = words.flags.has("repair");
  const doing = repair ? "watching addresses without a container for 10 s" : "asking the node";
  const found = await withProgress(context.note, doing, () =>
    context.client.checkAddresses(repair),
  );
  const { lines, isWrong } = addressCheckNotes(found);
  if (format === "table") {
    context.out(`${leasesText(found)}\n`);
    for (const line of lines) context.note(line);
  } else context.out(await documentText(found, format));
  return isWrong ? 1 : 0;
}

async function takeOver(words: Words, node: string, context: Context): Promise<number> {
  const format = formatOf(words);
  const taken = await withProgress(context.note, "asking all nodes in reach", () =>
    context.client.takeOver(node, words.flags.has("yes")),
  );
  const { id, name, addresses } = taken;
  if (format !== "table") context.out(await documentText(taken, format));
  else context.out(`${addresses} IPs taken over from ${id}${name === null ? "" : `(${name})`}\n`);
  return 0;
}

function only({ flags }: Words, allowed: string): void {
  const other = [...flags].find((flag) => flag !== allowed);
  if (other === undefined) return;
  throw new HansaError("USAGE", `the option --${other} does not go with this`, {
    hint: "see hansa ipam --help",
  });
}
