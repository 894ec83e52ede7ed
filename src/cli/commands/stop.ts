/** `hansa stop`: ends the node of this host, for now or for good. */
import type { Command } from "../command.ts";
import { withProgress } from "../output/progress.ts";

export const stop: Command = {
  name: "stop",
  summary: "stop the node of this host; start or resume brings it back",
  details: `Containers go on, but Docker starts none on the network hansa meanwhile, and waits for its addresses when it starts itself. The node keeps
its id, name and addresses, and is a member that is not heard. A boot of the host brings it back too. With --leave it is taken out of its
cluster and off this host, as by reset.`,
  onThisHost: true,
  options: [{ name: "leave", summary: "leave the cluster for good" }],
  examples: ["stop", "stop --leave"],
  async run({ flags }, context) {
    const request = { leave: flags.has("leave") };
    const { id, notes } = await withProgress(context.note, "stopping", async ({ step }) => {
      const { hansaPaths } = await import("../../processes/paths.ts");
      if (!context.isRoot) {
        const { askToStop } = await import("../../starter/starter-client.ts");
        return askToStop(hansaPaths().starterSocket, request, step);
      }
      const { stopHere } = await import("../../starter/start-here.ts");
      const { thisHost } = await import("../../processes/this-host.ts");
      return stopHere(request, thisHost(), () => context.local.leave(false), step);
    });
    for (const note of notes) context.note(note);
    context.out(`[${id ?? "-"}] Node ${request.leave ? "reset" : "stopped"}\n`);
    return 0;
  },
};
