/** `hansa ps`: the containers of all nodes. */
import type { Containers } from "../../api/container-schema.ts";
import type { Command, Context } from "../command.ts";
import { containerFilter, FILTER_OPTIONS, requireNodes } from "../container-filter.ts";
import { containerNotes, containersText } from "../output/containers-text.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { coloured, plain } from "../output/paint.ts";
import { withProgress } from "../output/progress.ts";

export const ps: Command = {
  name: "ps",
  summary: "show the containers of all nodes",
  details: `Every container on the network hansa, also one that is stopped, whichever node runs it. GROUP and NAME are compose's project and
service. A node that cannot be asked is said on standard error; of its containers what was known last is shown, with its age. Options that pick
containers take several words with commas between; * stands for anything. --watch shows changes as they happen, until Ctrl-C.`,
  options: [
    ...FILTER_OPTIONS,
    { name: "watch", summary: "go on showing them, anew with each change" },
    OUTPUT_OPTION,
  ],
  asksNode: true,
  examples: ["ps", "ps --group shop --state running", "ps --node host2 -o json", "ps --watch"],
  async run(words, context) {
    const format = formatOf(words);
    const pick = containerFilter(words);
    if (words.flags.has("watch")) {
      const { watchDocuments } = await import("../watch-documents.ts");
      return watchDocuments(context, format, 0, {
        open: (signal, resume) => context.client.watchContainers(signal, resume),
        text: (found) => screenText(pick(found), context),
        document: pick,
        print: (found) => print(pick(found), context),
      });
    }
    const asked = await withProgress(context.note, "asking all nodes", () =>
      context.client.containers(),
    );
    requireNodes(words, asked.nodes);
    const found = pick(asked);
    if (format === "table") print(found, context);
    else context.out(await documentText(found, format));
    return 0;
  },
};

function print(found: Containers, context: Context): void {
  context.out(`${tableOf(found, context)}\n`);
  for (const line of containerNotes(found, context.nowMs())) context.note(line);
}

function screenText(found: Containers, context: Context): string {
  const notes = containerNotes(found, context.nowMs());
  return [tableOf(found, context), ...notes.map((line) => `[${context.program}] ${line}`)].join(
    "\n",
  );
}

function tableOf(found: Containers, context: Context): string {
  return containersText(found, {
    nowMs: context.nowMs(),
    paint: context.colour ? coloured : plain,
  });
}
