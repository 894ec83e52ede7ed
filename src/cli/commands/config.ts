/** `hansa config`: reads and writes the cluster's configuration, which a majority of the store's votes keeps. */

import type { Command } from "../command.ts";
import { get, list, put, remove } from "../config-entries.ts";
import { OUTPUT_OPTION } from "../output/document-format.ts";
import { usage } from "../parse-words.ts";

export const config: Command = {
  name: "config",
  summary: "read and write the cluster's configuration",
  details: `get KEY prints an entry, ls [PREFIX] the keys that begin so, put KEY [VALUE] writes one (without VALUE, or with -, from standard input), rm KEY
removes one. An entry has at most 1 MiB, of any bytes. What put and rm report as done, a majority of the votes has on disk. Without a majority, get and ls
read from the node's own copy, and say on standard error how old it is.`,
  operands: {
    name: "get KEY | ls [PREFIX] | put KEY [VALUE] | rm KEY",
    min: 1,
    max: 3,
    completes: ["get", "ls", "put", "rm"],
  },
  options: [
    {
      name: "revision",
      value: "N",
      summary: "of put: only in place of this revision, 0: only where there is none",
    },
    {
      name: "file",
      value: "FILE",
      summary: "of put: the value is what is in FILE",
      completes: "files",
    },
    { name: "consistent", summary: "of get and ls: refuse rather than read from the node's copy" },
    OUTPUT_OPTION,
  ],
  asksNode: true,
  examples: [
    "config put motd hello",
    "config get motd",
    "config ls services/",
    "config put services/web --file web.yml",
  ],
  async run(words, context) {
    const [verb, key, value] = words.operands;
    const takesValue = verb === "put" && !words.values.has("file");
    if (value !== undefined && !takesValue) throw usage(config, `${verb} takes no second word`);
    if (verb === "ls") return list(words, key ?? "", context);
    if (verb === undefined || !["get", "put", "rm"].includes(verb)) {
      throw usage(config, "expected get, ls, put or rm");
    }
    if (key === undefined) throw usage(config, `${verb} takes a KEY`);
    if (verb === "get") return get(words, key, context);
    if (verb === "rm") return remove(key, context);
    const revision = words.values.get("revision");
    if (revision !== undefined && !/^\d{1,19}$/.test(revision)) {
      throw usage(config, "--revision takes a whole number");
    }
    return put(words, key, value, context);
  },
};
