/** `hansa expected`: makes the store anew where its majority is gone for ever. */
import type { CopiesInReach, Refounded } from "../../api/store-schemas.ts";
import { ERRORS, type ErrorCode, HansaError } from "../../errors.ts";
import { shortAge } from "../../values/short-age.ts";
import type { Command, Context } from "../command.ts";
import { confirmed, YES_OPTION } from "../confirm.ts";
import { alignColumns } from "../output/align-columns.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { withProgress } from "../output/progress.ts";
import { usage } from "../parse-words.ts";

export const expected: Command = {
  name: "expected",
  summary: "make the store anew where the majority of its votes is gone for ever",
  details: `N is how many votes are expected from now on: those that are present, the vote of this node among them. Refused while a majority can be
reached or is heard. The copies of the store in reach are shown, and the newest one is taken: of a vote, or of a node's mirror. The node that is asked then has
the only vote, in the store's next generation; the others take theirs by themselves. Votes that return put what they had into a file and join anew.`,
  operands: { name: "N", min: 1, max: 1 },
  options: [YES_OPTION, OUTPUT_OPTION],
  asksNode: true,
  examples: ["expected 1", "expected 2 --yes"],
  async run(words, context) {
    const format = formatOf(words);
    const [word = ""] = words.operands;
    if (!/^[1-9]\d?$/.test(word)) throw usage(expected, "N is a number of votes, such as 1");
    const votes = Number(word);
    const found = await context.client.copiesInReach(votes);
    if (found.copies.length > 0) for (const line of copyLines(found, context)) context.note(line);
    for (const silent of found.silent) context.note(`not asked: ${silent}`);
    refuse(found);
    const question = "What only the votes that are missing had is lost. Make the store anew?";
    if (!(await confirmed(words.flags, question))) return 1;
    const made = await withProgress(context.note, "making the store anew", () =>
      context.client.expectVotes(votes),
    );
    context.out(format === "table" ? refoundedText(made) : await documentText(made, format));
    return 0;
  },
};

/** What was made, in two lines. */
export function refoundedText({ store, revision, entries, from }: Refounded): string {
  const of = from ? ` of node ${from.id} (${from.name})` : "";
  return `Store ${store.name} made anew: generation ${store.generation}, from revision ${revision}${of}, ${entries} entries\n`;
}

function copyLines({ copies }: CopiesInReach, context: Context): string[] {
  const rows = copies.map(({ node, source, store, revision, takenAtMs, entries, isChosen }) => [
    `${isChosen ? "*" : " "} ${node.name} (${node.id})`,
    source === "voter" ? "vote" : "mirror",
    `${store.name} ${store.generation}`,
    revision,
    source === "voter" ? "-" : shortAge((context.nowMs() - takenAtMs) / 1000),
    `${entries}`,
  ]);
  const head = ["  COPY AT", "OF A", "GENERATION", "REVISION", "AGE", "ENTRIES"];
  return alignColumns([head, ...rows]).split("\n");
}

function refuse({ refused }: CopiesInReach): void {
  if (refused === null) return;
  const { code, message, hint } = refused;
  const known = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : "STORE_REFUSED";
  throw new HansaError(known, message, hint === null ? {} : { hint });
}
