/** `hansa create` and `hansa store`: the store of the cluster's configuration, made and shown. */
import type { StoreView } from "../../api/store-schemas.ts";
import type { Command, Context } from "../command.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { coloured, plain } from "../output/paint.ts";
import { withProgress } from "../output/progress.ts";
import { storeText } from "../output/store-text.ts";

export const create: Command = {
  name: "create",
  summary: "make the store of the cluster's configuration",
  details: `The store holds what a majority of its votes must agree on: it is an etcd of its own on the nodes with the ids 1 to 4, of which any one
makes it and the others take their votes in it by themselves. NAME has 1 to 15 letters, digits and hyphens, and stays. A second store is refused.`,
  operands: { name: "NAME", min: 1, max: 1 },
  options: [OUTPUT_OPTION],
  asksNode: true,
  examples: ["create prod", "create prod --node host2 -o json"],
  async run(words, context) {
    const format = formatOf(words);
    const [name = ""] = words.operands;
    const made = await withProgress(context.note, "making the store", () =>
      context.client.createStore(name),
    );
    await show(made, format, context);
    return 0;
  },
};

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
    await show(found, format, context);
    return found.quorate ? 0 : 2;
  },
};

async function show(
  found: StoreView,
  format: ReturnType<typeof formatOf>,
  context: Context,
): Promise<void> {
  if (format === "table") context.out(`${storeText(found, context.colour ? coloured : plain)}\n`);
  else context.out(await documentText(found, format));
}
