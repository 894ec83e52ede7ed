/** A question at the terminal that is answered by y or anything else. */
import { createInterface } from "node:readline";
import { HansaError } from "../errors.ts";

interface Asked {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
}

/**
 * True for y or yes; false for any other answer, and undefined where nobody can be asked. Throws USAGE when the input ends in place of an answer, with
 * `instead` as what may be typed so that nothing is asked.
 */
export async function askYes(
  question: string,
  instead = "--yes",
  { input, output }: Asked = { input: process.stdin, output: process.stderr },
): Promise<boolean | undefined> {
  if (input.isTTY !== true || output.isTTY !== true) return undefined;
  const lines = createInterface({ input, output });
  const answer = await new Promise<string | undefined>((resolve) => {
    lines.once("close", () => resolve(undefined));
    lines.question(`${question} [y/N] `, resolve);
  });
  lines.close();
  if (answer !== undefined) return /^y(es)?$/i.test(answer.trim());
  output.write("\n");
  throw new HansaError("USAGE", "nothing was done: that was not confirmed, the input has ended", {
    hint: `answer y, or add ${instead}`,
  });
}
