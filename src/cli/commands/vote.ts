/** `hansa vote`: which nodes have a vote in the store. */
import { setTimeout } from "node:timers/promises";
import type { StoreView } from "../../api/store-schemas.ts";
import { HansaError, isHansaError } from "../../errors.ts";
import type { Command, Context } from "../command.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { coloured, plain } from "../output/paint.ts";
import { withProgress } from "../output/progress.ts";
import { votesTable, votesText } from "../output/store-text.ts";
import { usage } from "../parse-words.ts";

/** A node starts its etcd and receives the log in a second or two; one with much to receive goes on by itself. */
const WAIT_MS = 30_000;
const LOOK_MS = 200;

export const vote: Command = {
  name: "vote",
  summary: "show which nodes have a vote in the store, give one or take it",
  details: `ls shows who has a vote and who is to have one; give and take name a node by id or name, and wait until it is done. Nodes 1 to 4 have a vote
unless it is taken; at most 7 nodes have one. A vote is taken only where the others are a majority without it, and never the last one.`,
  operands: {
    name: "ls | give NODE | take NODE",
    min: 1,
    max: 2,
    completes: ["ls", "give", "take"],
  },
  options: [OUTPUT_OPTION],
  asksNode: true,
  examples: ["vote ls", "vote give host5", "vote take 4"],
  async run(words, context) {
    const format = formatOf(words);
    const [verb, node, ...more] = words.operands;
    const isChange = verb === "give" || verb === "take";
    const isFit = isChange ? node !== undefined : verb === "ls" && node === undefined;
    if (!isFit || more.length > 0) throw usage(vote, "expected ls, give NODE or take NODE");
    const seen =
      isChange && node !== undefined
        ? await change(context, node, verb === "give")
        : await context.client.store();
    if (format !== "table") {
      const { voters, votes, wanted } = seen;
      context.out(await documentText({ voters, votes, wanted }, format));
    } else if (isChange) context.out(`Votes: ${votesText(seen)}\n`);
    else {
      const table = votesTable(seen, context.colour ? coloured : plain);
      context.out(
        `Votes: ${votesText(seen)}\nTo have one: ${seen.wanted.join(", ")}\n\n${table}\n`,
      );
    }
    return seen.quorate ? 0 : 2;
  },
};

async function change(context: Context, node: string, isGiven: boolean): Promise<StoreView> {
  const { client } = context;
  const before = await client.store();
  const asked = await client.vote({ node, vote: isGiven });
  const isChanged = (id: number): boolean =>
    before.wanted.includes(id) !== asked.wanted.includes(id);
  const named = asked.voters.find(({ id, name }) => node === name || node === `${id}`);
  const id = [...asked.wanted, ...before.wanted].find(isChanged) ?? named?.id;
  if (id === undefined) return asked;
  return await withProgress(context.note, isGiven ? "giving the vote" : "taking the vote", () =>
    untilDone(context, id, isGiven),
  );
}

async function untilDone(context: Context, id: number, isGiven: boolean): Promise<StoreView> {
  const endMs = context.nowMs() + WAIT_MS;
  for (;;) {
    const seen = await nowOrLater(context.client.store());
    const has = seen?.voters.some((voter) => voter.id === id && (voter.hasVote || !isGiven));
    if (seen?.quorate && has === isGiven) return seen;
    if (context.nowMs() > endMs) {
      const problem = seen?.voters.find((voter) => voter.id === id)?.problem;
      if (isGiven && problem) {
        const { code, message, hint } = problem;
        const text = `node ${id} cannot take its vote: ${code}: ${message}`;
        throw new HansaError("STORE_REFUSED", text, { hint });
      }
      const text = isGiven
        ? `node ${id} has no vote yet: it has one as soon as it has received the log and every vote answers`
        : `node ${id} still has its vote: it loses it as soon as the others are a majority without it`;
      throw new HansaError("STORE_REFUSED", text, { hint: "hansa vote ls shows how far it is" });
    }
    await setTimeout(LOOK_MS);
  }
}

/** Who leads may lose its own vote: undefined until another one is chosen. */
async function nowOrLater(answer: Promise<StoreView>): Promise<StoreView | undefined> {
  try {
    return await answer;
  } catch (error) {
    const passes = ["STORE_NO_QUORUM", "STORE_UNREACHABLE"] as const;
    if (passes.some((code) => isHansaError(error, code))) return undefined;
    throw error;
  }
}
