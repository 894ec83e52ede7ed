/** `hansa config`: reads and writes the cluster's configuration, which a majority of the store's votes keeps. */

import type { Command } from "../command.ts";
import { edit } from "../config-edit.ts";
import { get, list, put, remove } from "../config-entries.ts";
import { history, watchConfig } from "../config-watch.ts";
import { OUTPUT_OPTION } from "../output/document-format.ts";
import { usage } from "../parse-words.ts";

const VERBS = ["get", "ls", "put", "rm", "edit", "watch", "history"];

export const config: Command = {
  name: "config",
  summary: "read and write the cluster's configuration",
  details: `get KEY prints an entry, ls [PREFIX] the keys that begin so, put KEY [VALUE] writes one (without VALUE, or with -, from standard input), rm KEY
removes one, edit KEY opens it in $VISUAL or $EDITOR, watch [PREFIX] prints changes as they come, history KEY those that the store still keeps. An entry has at most 1 MiB, of any
bytes. What is reported as written, a majority of the votes has on disk; what edit cannot write, because somebody was quicker, it keeps in a file. Without a majority, get and ls read from the
node's own copy, and say on standard error how old it is.`,
  operands: {
    name: "get KEY | ls [PREFIX] | put KEY [VALUE] | rm KEY | edit KEY | watch [PREFIX] | history KEY",
    min: 1,
    max: 3,
    completes: VERBS,
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
    "config edit services/web",
    "config watch services/ -o json",
  ],
  async run(words, context) {
    const [verb, key, value] = words.operands;
    if (verb === undefined || !VERBS.includes(verb)) {
      throw usage(config, `expected one of ${VERBS.join(", ")}`);
    }
    const takesValue = verb === "put" && !words.values.has("file");
    if (value !== undefined && !takesValue) {
      const why = verb === "put" ? "takes either a VALUE or --file" : "takes no second word";
      throw usage(config, `${verb} ${why}`);
    }
    if (verb === "ls") return list(words, key ?? "", context);
    if (verb === "watch") return watchConfig(words, key ?? "", context);
    if (key === undefined) throw usage(config, `${verb} takes a KEY`);
    if (verb === "get") return get(words, key, context);
    if (verb === "rm") return remove(key, context);
    if (verb === "edit") return edit(key, context);
    if (verb === "history") return history(words, key, context);
    const revision = words.values.get("revision");
    if (revision !== undefined && !/^\d{1,19}$/.test(revision)) {
      throw usage(config, "--revision takes a whole number");
    }
    return put(words, key, value, context);
  },
};
