/** `hansa resume`: starts a launched node whose processes were stopped. */
import type { Command } from "../command.ts";
import { withProgress } from "../output/progress.ts";
import { requireRoot } from "../require-root.ts";

export const resume: Command = {
  name: "resume",
  summary: "start the node of this host again, with its id, targets and addresses",
  details: `Starts what does not run and leaves the rest alone; needs no token. Refused on a host that was never launched.
Where systemd runs, a reboot needs no hand: the node starts with the host.`,
  onThisHost: true,
  options: [],
  examples: ["resume"],
  async run(_words, context) {
    requireRoot(context, "resume");
    const { resume: resumeNode } = await import("../../processes/resume.ts");
    const { id } = await withProgress(context.note, "resuming", ({ step }) => resumeNode(step));
    context.out(`[${id}] Node resumed\n`);
    return 0;
  },
};
