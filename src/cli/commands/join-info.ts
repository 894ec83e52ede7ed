/** `hansa join-info`: what a host is told that is to join, in one word to be copied. */
import { HansaError } from "../../errors.ts";
import { decodeJoinDocument, encodeJoinWord, joinDocument } from "../../joining/join-word.ts";
import type { Command } from "../command.ts";
import { usage } from "../parse-words.ts";

export const joinInfo: Command = {
  name: "join-info",
  summary: "print where and by which certificate hosts join the cluster",
  details: `One word: JSON in base64, with the address and the fingerprint of the node that is asked, its links and the cluster's. It holds no secret: hansa add INFO on the
new host takes it in the place of HOST and --fingerprint, and asks for the token as ever.
--decode prints the JSON itself, of INFO where that is given.`,
  operands: { name: "INFO", min: 0, max: 1 },
  options: [{ name: "decode", summary: "print it as JSON" }],
  asksNode: true,
  examples: ["join-info", "join-info --decode"],
  async run({ operands: [given], flags }, context) {
    if (given !== undefined && !flags.has("decode"))
      throw usage(joinInfo, "INFO goes with --decode");
    const document =
      given === undefined ? joinDocument(await context.client.joinInfo()) : decoded(given);
    const text = flags.has("decode") ? JSON.stringify(document, null, 2) : encodeJoinWord(document);
    context.out(`${text}\n`);
    return 0;
  },
};

function decoded(text: string): object {
  const document = decodeJoinDocument(text);
  if (document) return document;
  throw new HansaError("USAGE", "this does not seem like a valid encoded cluster information", {
    hint: "copy the whole line that hansa join-info prints",
  });
}
