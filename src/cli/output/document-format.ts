/** The option -o of every command that reads: table for people, json and yaml for programs. */
import { HansaError } from "../../errors.ts";
import type { OptionSpec, Words } from "../command.ts";

export const FORMATS = ["table", "json", "yaml"] as const;
export type Format = (typeof FORMATS)[number];

export const OUTPUT_OPTION: OptionSpec = {
  name: "output",
  short: "o",
  value: "FORMAT",
  summary: `${FORMATS.join(", ")}`,
  completes: FORMATS,
};

/** The format that was asked for, or `standard`. Throws USAGE. */
export function formatOf(words: Words, standard: Format = "table"): Format {
  const given = words.values.get("output");
  if (given === undefined) return standard;
  const format = FORMATS.find((known) => known === given);
  if (format !== undefined) return format;
  const text = `invalid argument: output, required: ${FORMATS.join(", ")}, received: ${given}`;
  throw new HansaError("USAGE", text, { hint: `use one of ${FORMATS.join(", ")}` });
}

/** `value` as a whole document with its newline. YAML's library is loaded only when it is asked for. */
export async function documentText(
  value: unknown,
  format: Exclude<Format, "table">,
): Promise<string> {
  if (format === "json") return `${JSON.stringify(value, undefined, 2)}\n`;
  const { stringify } = await import("yaml");
  return stringify(value);
}
