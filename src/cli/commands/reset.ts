/** `hansa reset`: takes the node away from this host and from its cluster. */
import { HansaError, isHansaError } from "../../errors.ts";
import type { Command, Context } from "../command.ts";
import { withProgress } from "../output/progress.ts";
import { requireRoot } from "../require-root.ts";

export const reset: Command = {
  name: "reset",
  summary: "take the node away from this host: its processes, network, state and secrets",
  details: `The addresses of the node go to another node in reach, and the others forget it. Refused while containers are on
the network hansa, and where this node has the only vote of the cluster's store and others have none. Afterwards the host can be launched again, into any cluster and with any id. Doing it twice is no error.`,
  onThisHost: true,
  options: [
    {
      name: "force",
      summary:
        "disconnect containers from the network, go on when Docker does not answer, and end a store whose only vote is here",
    },
  ],
  examples: ["reset", "reset --force"],
  async run({ flags }, context) {
    requireRoot(context, "reset");
    if (!flags.has("force")) await refuseLastVote(context);
    const { reset: resetNode } = await import("../../processes/reset.ts");
    const { id, notes } = await withProgress(context.note, "resetting", ({ step }) =>
      resetNode({
        force: flags.has("force"),
        leave: () => context.local.leave(flags.has("force")),
        onProgress: step,
      }),
    );
    for (const note of notes) context.note(note);
    context.out(`[${id ?? "-"}] Node reset\n`);
    return 0;
  },
};

/** The store would end with this node. Throws STORE_LAST_VOTE. */
async function refuseLastVote({ local }: Context): Promise<void> {
  try {
    const { name, voters } = await local.store();
    const [only, ...more] = voters.filter(({ hasVote }) => hasVote);
    if (only === undefined || more.length > 0 || !only.isLocal) return;
    const { peers, node } = await local.status();
    const others = peers.filter(({ id, state }) => id !== node.id && state === "alive");
    if (others.length === 0) return;
    const without =
      others.length === 1 ? "another node has none" : `${others.length} other nodes have none`;
    const text = `this node has the only vote of the store ${name}, which ends with it: ${without}`;
    throw new HansaError("STORE_LAST_VOTE", text);
  } catch (error) {
    // A host without a node, or a node without a store, ends none.
    if (!isHansaError(error) || isHansaError(error, "STORE_LAST_VOTE")) throw error;
  }
}
