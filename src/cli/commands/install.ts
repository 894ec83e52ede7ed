/** `hansa install`: puts this executable, its links and what it needs on the host. */
import type { InstallStep } from "../../install/install-plan.ts";
import { askYes } from "../ask-yes.ts";
import type { Command, Context, Words } from "../command.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { requireRoot } from "../require-root.ts";

export const install: Command = {
  name: "install",
  summary: "install this executable on the host, with links, group, completion and packages",
  details: `Copies itself to /usr/local/bin/hansa, links the names of its predecessors to it where those are free, makes the
group hansa and lets its members start a node (hansa start), writes bash's completion, and installs the Debian packages that a node needs and the host lacks: asked for at a
terminal, or by --yes. Run again, it does only what is missing. Undone by uninstall.`,
  onThisHost: true,
  options: [
    { name: "yes", short: "y", summary: "install missing packages without asking" },
    { name: "dry-run", summary: "print what would be done, and do nothing" },
    OUTPUT_OPTION,
  ],
  examples: ["install", "install --dry-run -o json", "install --yes"],
  async run(words, context) {
    const format = formatOf(words);
    const isDry = words.flags.has("dry-run");
    if (!isDry) requireRoot(context, "install");
    const { carryOut, installSteps, thisInstallHost } = await import("../../install/install.ts");
    const { requireNoOtherBuild } = await import("../../install/running-build.ts");
    const on = thisInstallHost();
    const planned = await installSteps(on);
    if (isDry) {
      if (format === "table") for (const step of planned) context.out(`${sentence(step)}\n`);
      else context.out(await documentText({ steps: planned }, format));
      return 0;
    }
    if (planned.some(({ step }) => step === "executable")) {
      await requireNoOtherBuild(on.host, on.command);
    }
    const steps = await agreed(planned, words, context);
    await carryOut(steps, on, (step) => {
      if (format === "table") context.out(`${sentence(step)}\n`);
    });
    if (format !== "table") context.out(await documentText({ steps }, format));
    else if (steps.length === 0) context.out("everything is installed\n");
    return 0;
  },
};

/** The plan with packages only named where nobody agreed to install them. */
async function agreed(
  steps: readonly InstallStep[],
  { flags }: Words,
  context: Context,
): Promise<InstallStep[]> {
  const result: InstallStep[] = [];
  for (const step of steps) {
    if (step.step !== "packages") {
      result.push(step);
      continue;
    }
    const question = `install ${step.packages.join(" ")}?`;
    const isAgreed = step.byUs && (flags.has("yes") || (await askYes(question)) === true);
    result.push({ ...step, byUs: isAgreed });
    if (!isAgreed) {
      context.note(`Warning: a node needs these packages too: ${step.packages.join(" ")}`);
      for (const line of step.commands) context.note(`Hint: ${line}`);
    }
  }
  return result;
}

function sentence(step: InstallStep): string {
  switch (step.step) {
    case "packages":
      return `${step.byUs ? "install" : "missing"} packages ${step.packages.join(" ")}`;
    case "folder":
      return `make ${step.path}`;
    case "executable":
      return `copy ${step.from} to ${step.path}`;
    case "link":
      return `link ${step.path} to ${step.to}`;
    case "group":
      return `make the group ${step.name}`;
    case "starter":
      return `have ${step.path} served for members of the group`;
    case "completion":
      return `write ${step.path}`;
    case "leave":
      return `leave ${step.path}: ${step.why}`;
  }
}
