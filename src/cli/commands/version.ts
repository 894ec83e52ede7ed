/** `hansa version`: of this program, without asking the daemon. */
import { VERSION } from "../../api/version.ts";
import type { Command } from "../command.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";

export const version: Command = {
  name: "version",
  summary: "print the version of this program",
  options: [OUTPUT_OPTION],
  examples: ["version"],
  async run(words, context) {
    const format = formatOf(words);
    if (format === "table") context.out(`hansa ${VERSION.version} (${VERSION.revision})\n`);
    else context.out(await documentText(VERSION, format));
    return 0;
  },
};
