/** Which containers `hansa ps` shows. Pure. */
import type { ContainerRow, Containers } from "../api/container-schema.ts";
import { LIFE_STATES } from "../api/life-states.ts";
import { HansaError } from "../errors.ts";
import type { OptionSpec, Words } from "./command.ts";

export const FILTER_OPTIONS: readonly OptionSpec[] = [
  { name: "node", value: "NODE,…", summary: "only those of these nodes", completes: "nodes" },
  { name: "group", value: "GROUP,…", summary: "only those of these groups; - for those of none" },
  { name: "name", value: "NAME,…", summary: "only those of these names, or names in Docker" },
  {
    name: "state",
    value: "STATE,…",
    summary: `only those in these states: ${LIFE_STATES.join(", ")}`,
    completes: LIFE_STATES,
  },
];

/** What is left of `containers`: of each option one of its words must fit. In words, * stands for anything. Throws USAGE. */
export function containerFilter({ values }: Words): (containers: Containers) => Containers {
  const words = (option: string): readonly string[] | undefined => values.get(option)?.split(",");
  const states = words("state");
  const unknown = states?.find((state) => !(LIFE_STATES as readonly string[]).includes(state));
  if (unknown !== undefined) {
    const text = `invalid argument: state, required: ${LIFE_STATES.join(", ")}, received: ${unknown}`;
    throw new HansaError("USAGE", text, { hint: "see hansa ps --help" });
  }
  const tests: ((row: ContainerRow) => boolean)[] = [];
  const isNode = matcher(words("node"));
  if (isNode) tests.push(({ node }) => isNode(node.name) || isNode(`${node.id}`));
  const isGroup = matcher(words("group"));
  if (isGroup) tests.push(({ group }) => isGroup(group ?? "-"));
  const isName = matcher(words("name"));
  if (isName) tests.push(({ name, dockerName }) => isName(name) || isName(dockerName));
  if (states) tests.push(({ state }) => states.includes(state));
  return ({ nodes, containers }) => ({
    nodes: isNode ? nodes.filter(({ id, name }) => isNode(name) || isNode(`${id}`)) : nodes,
    containers: containers.filter((row) => tests.every((test) => test(row))),
  });
}

/** Throws NODE_NOT_FOUND where a word of --node, without a star, is none of `nodes`. */
export function requireNodes({ values }: Words, nodes: Containers["nodes"]): void {
  const names = new Set(nodes.flatMap(({ id, name }) => [name, `${id}`]));
  const unknown = values
    .get("node")
    ?.split(",")
    .find((word) => !word.includes("*") && !names.has(word));
  if (unknown === undefined) return;
  const shown = JSON.stringify(unknown.slice(0, 100)).slice(1, -1);
  throw new HansaError("NODE_NOT_FOUND", `there is no node ${shown}`, {
    hint: "hansa nodes shows those that there are",
  });
}

function matcher(words: readonly string[] | undefined): ((text: string) => boolean) | undefined {
  if (words === undefined) return undefined;
  const patterns = words.map((word) => {
    const parts = word.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    // Stars side by side are one: many of them would make a pattern that takes for ever.
    return new RegExp(`^${parts.join(".*").replaceAll(/(\.\*)+/g, ".*")}$`);
  });
  return (text) => patterns.some((pattern) => pattern.test(text));
}
