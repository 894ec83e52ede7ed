/** What may lose something is done after a question at the terminal, or with --yes. */
import { HansaError } from "../errors.ts";
import { askYes } from "./ask-yes.ts";
import type { OptionSpec } from "./command.ts";

export const YES_OPTION: OptionSpec = { name: "yes", summary: "do not ask" };

/** True when it is to be done. Throws USAGE where nobody can be asked and nobody said --yes. */
export async function confirmed(flags: ReadonlySet<string>, question: string): Promise<boolean> {
  if (flags.has("yes")) return true;
  const answer = await askYes(question);
  if (answer !== undefined) return answer;
  throw new HansaError("USAGE", "nobody can be asked here whether it is to be done", {
    hint: "add --yes",
  });
}
