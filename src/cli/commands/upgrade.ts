/** `hansa upgrade`: another build in the place of this host's, under the running node. */
import { resolve } from "node:path";
import type { Source, UpgradePlan } from "../../install/upgrade.ts";
import type { Command, CommandSpec, Words } from "../command.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { withProgress } from "../output/progress.ts";
import { usage } from "../parse-words.ts";
import { requireRoot } from "../require-root.ts";

const WAIT_S = 30;

const SPEC: CommandSpec = {
  name: "upgrade",
  summary: "replace the executable by another build, and the node's processes one by one",
  details: `FILE is asked what it is before anything is changed. Without FILE the build that runs this command is taken, and where
that is the installed one, processes that still run an older build are replaced; a witness on this host too. Containers and their traffic go on. The build
before is kept beside the new one for --rollback, and comes back by itself when the node is not as healthy as before in time.`,
  operands: { name: "FILE", min: 0, max: 1 },
  options: [
    { name: "check", summary: "say what would be done, and do nothing" },
    { name: "rollback", summary: "go back to the build before the last upgrade" },
    {
      name: "wait",
      value: "SECONDS",
      summary: `how long the node may take to be as healthy as before, default ${WAIT_S}`,
    },
    OUTPUT_OPTION,
  ],
  examples: ["upgrade ./hansa", "upgrade --check ./hansa", "upgrade --rollback"],
};

export const upgrade: Command = {
  ...SPEC,
  onThisHost: true,
  async run(words, context) {
    const source = sourceOf(words);
    const withinMs = waitOf(words) * 1000;
    const format = formatOf(words);
    requireRoot(context, "upgrade");
    const { thisInstallHost } = await import("../../install/install.ts");
    const { planUpgrade, upgrade: carryOut } = await import("../../install/upgrade.ts");
    const { outdatedWitness, renewWitness } = await import("../../witness/witness-process.ts");
    const on = thisInstallHost();
    const ofNode = await planUpgrade(source, on);
    // Before the file is replaced, what runs from it is what will be outdated then.
    const aim = ofNode.replacesFile ? ofNode.file : ofNode.executable;
    const ofWitness = outdatedWitness(ofNode.executable, aim);
    const plan = { ...ofNode, processes: [...ofNode.processes, ...ofWitness] };
    const isCheck = words.flags.has("check");
    const isDone = !plan.replacesFile && plan.processes.length === 0;
    if (!isCheck && !isDone) {
      await withProgress(context.note, "upgrading", async ({ step }) => {
        await carryOut(ofNode, on, { withinMs, tell: step });
        if (ofWitness.length > 0) {
          step("replacing the witness");
          await renewWitness(plan.executable);
        }
      });
    }
    if (!isCheck) await on.starter.renew();
    if (format !== "table") context.out(await documentText(plan, format));
    else if (isCheck || isDone) context.out(planText(plan));
    else {
      const done = words.flags.has("rollback") ? "rolled back" : "upgraded";
      context.out(`${done} from ${plan.from} to ${plan.to}\n`);
    }
    return 0;
  },
};

function planText({ executable, from, to, replacesFile, processes }: UpgradePlan): string {
  if (!replacesFile && processes.length === 0)
    return `${executable} is ${to}, and so is all that runs\n`;
  const lines = replacesFile
    ? [`replace ${executable}: ${from} by ${to}`]
    : [`${executable} is ${to}`];
  for (const name of processes) lines.push(`replace the process ${name}`);
  return `${lines.join("\n")}\n`;
}

function sourceOf({ flags, operands: [file] }: Words): Source {
  if (flags.has("rollback")) {
    if (file !== undefined) throw usage(SPEC, "give either FILE or --rollback, not both");
    return { kind: "previous" };
  }
  return file === undefined ? { kind: "self" } : { kind: "file", path: resolve(file) };
}

function waitOf({ values }: Words): number {
  const text = values.get("wait") ?? `${WAIT_S}`;
  const seconds = Number(text);
  if (/^\d{1,4}$/.test(text) && seconds >= 1 && seconds <= 3600) return seconds;
  throw usage(SPEC, `invalid argument: wait, required: number [1-3600], received: ${text}`);
}
