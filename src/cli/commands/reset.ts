/** `hansa reset`: takes the node away from this host and from its cluster. */
import type { Command } from "../command.ts";
import { withProgress } from "../output/progress.ts";
import { requireRoot } from "../require-root.ts";

export const reset: Command = {
  name: "reset",
  summary: "take the node away from this host: its processes, network, state and secrets",
  details: `The addresses of the node go to another node in reach, and the others forget it. Refused while containers are on
the network hansa. Afterwards the host can be launched again, into any cluster and with any id. Doing it twice is no error.`,
  onThisHost: true,
  options: [
    {
      name: "force",
      summary: "disconnect containers from the network, and go on when Docker does not answer",
    },
  ],
  examples: ["reset", "reset --force"],
  async run({ flags }, context) {
    requireRoot(context, "reset");
    const { reset: resetNode } = await import("../../processes/reset.ts");
    const { id, notes } = await withProgress(context.note, "resetting", ({ step }) =>
      resetNode({
        force: flags.has("force"),
        leave: () => context.local.leave(),
        onProgress: step,
      }),
    );
    for (const note of notes) context.note(note);
    context.out(`[${id ?? "-"}] Node reset\n`);
    return 0;
  },
};
