/** `hansa uninstall`: removes what `hansa install` made. */
import type { UninstallStep } from "../../install/install-plan.ts";
import type { Command } from "../command.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { requireRoot } from "../require-root.ts";

export const uninstall: Command = {
  name: "uninstall",
  summary: "remove what install made on this host",
  details: `Refused while the host is a node or a witness: hansa reset takes it out of the cluster first, hansa qdevice end ends the witness. Packages stay, and are named.`,
  onThisHost: true,
  options: [
    {
      name: "force",
      summary:
        "run hansa reset --force first, where the host is a node, and hansa qdevice end, where it is a witness",
    },
    { name: "dry-run", summary: "print what would be removed, and remove nothing" },
    OUTPUT_OPTION,
  ],
  examples: ["uninstall", "uninstall --dry-run"],
  async run(words, context) {
    const format = formatOf(words);
    const isDry = words.flags.has("dry-run");
    if (!isDry) requireRoot(context, "uninstall");
    const { thisInstallHost } = await import("../../install/install.ts");
    const removal = await import("../../install/uninstall.ts");
    const on = thisInstallHost();
    if (words.flags.has("force") && !isDry) await removal.resetNode(on, context.note);
    await removal.requireNoNode(on);
    const { steps, record } = await removal.uninstallSteps(on);
    if (!isDry) {
      await removal.carryOutRemoval(steps, on, (step) => {
        if (format === "table") context.out(`${sentence(step)}\n`);
      });
    } else if (format === "table") {
      for (const step of steps) context.out(`${sentence(step)}\n`);
    }
    if (format !== "table")
      context.out(await documentText({ steps, packages: record.packages }, format));
    if (record.packages.length > 0) {
      context.note(
        `these packages were installed for hansa and stay: ${record.packages.join(" ")}`,
      );
      if (record.packages.includes("etcd-server")) {
        context.note(
          "etcd.service was masked, so that it takes no port: systemctl unmask etcd.service",
        );
      }
    }
    return 0;
  },
};

function sentence(step: UninstallStep): string {
  switch (step.step) {
    case "remove":
      return `remove ${step.path}`;
    case "remove-starter":
      return `end the starter behind ${step.path}`;
    case "remove-group":
      return `remove the group ${step.name}`;
    case "remove-folder":
      return `remove the folder ${step.path} if it is empty`;
    case "leave":
      return `leave ${step.path}: ${step.why}`;
  }
}
