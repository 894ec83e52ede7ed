/** `hansa store`: the store of the cluster's configuration. */
import type { StoreView } from "../../api/store-schemas.ts";
import type { Command, Context } from "../command.ts";
import { sayAge } from "../config-entries.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { coloured, plain } from "../output/paint.ts";
import { storeText } from "../output/store-text.ts";

export const store: Command = {
  name: "store",
  summary: "show the store of the cluster's configuration and its votes",
  details: `The exit status is 2 when no majority of the votes answers: then the configuration cannot be changed, and all that runs goes on.`,
  options: [OUTPUT_OPTION],
  asksNode: true,
  examples: ["store", "store -o json"],
  async run(words, context) {
    const format = formatOf(words);
    const found = await context.client.store();
    if (found.stale && found.copy) {
      const { ageMs } = found.copy;
      sayAge({ stale: true, ageMs, reason: "no node with a vote answers this one" }, context);
    }
    await showStore(found, format, context);
    return found.quorate ? 0 : 2;
  },
};

/** Prints the store in that format. */
export async function showStore(
  found: StoreView,
  format: ReturnType<typeof formatOf>,
  context: Context,
): Promise<void> {
  if (format === "table") context.out(`${storeText(found, context.colour ? coloured : plain)}\n`);
  else context.out(await documentText(found, format));
}
