/** `--link0 … --link7 [address=]IP[,priority=N]`: the options of all commands that make a node, and what they say. */
import { HansaError } from "../errors.ts";
import { MAX_LINKS, type NodeLink, readNodeLinks } from "../values/node-link.ts";
import type { OptionSpec, Words } from "./command.ts";

const LAST = MAX_LINKS - 1;

/** Link 8 is listed to say what there is. */
export const LINK_OPTIONS: readonly OptionSpec[] = [
  ...Array.from({ length: MAX_LINKS }, (_, index) => ({
    name: `link${index}`,
    value: "[address=]IP[,priority=N]",
    summary: `own address that peers use, the first found by default; up to --link${LAST}. The highest priority is used (default 1)`,
    hidden: index > 0,
  })),
  {
    name: `link${MAX_LINKS}`,
    summary: "",
    refused: `a node has at most ${MAX_LINKS} links, --link0 to --link${LAST}`,
  },
];

/** The links that were given; undefined when none was. Whether the host has the addresses is for the launch to say. Throws USAGE. */
export function linksOf({ values }: Words, command: string): readonly NodeLink[] | undefined {
  const given = Array.from({ length: MAX_LINKS }, (_, number) => number).flatMap((number) => {
    const text = values.get(`link${number}`);
    return text === undefined ? [] : [[number, text] as const];
  });
  if (given.length === 0) return undefined;
  const read = readNodeLinks(given);
  if (read.ok) return read.links;
  const { parameter, required, received } = read.problem;
  const shown = JSON.stringify(received.slice(0, 100)).slice(1, -1);
  const text = `invalid argument: ${parameter}, required: ${required}, received: ${shown}`;
  throw new HansaError("USAGE", text, { hint: `see hansa ${command} --help` });
}
