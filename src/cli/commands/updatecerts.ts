/** `hansa updatecerts`: a command of Proxmox' that has nothing to do here, and says so. */
import type { Command } from "../command.ts";

export const updatecerts: Command = {
  name: "updatecerts",
  summary: "say how this node's certificate is renewed",
  details: `Nothing has to be done: each node makes its certificate by itself, from the cluster's own authority.`,
  onThisHost: true,
  options: [
    { name: "force", summary: "makes no difference" },
    { name: "silent", summary: "say nothing" },
  ],
  examples: ["updatecerts"],
  async run({ flags }, context) {
    if (flags.has("silent")) return 0;
    context.note(
      "nothing to do: a node makes its certificate at each start of its daemon, when its addresses change, and after half a year",
    );
    return 0;
  },
};
