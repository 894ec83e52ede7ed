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
    else {
      // Another build reads this before it takes over, or is taken over from.
      const { STATE_FORMATS } = await import("../../install/state-formats.ts");
      context.out(await documentText({ ...VERSION, formats: STATE_FORMATS }, format));
    }
    return 0;
  },
};
