/**
 * Removing what `hansa install` made on this host, byte for byte; packages stay, because others may need them by now.
 *
 * Invariant: a node is never left without its program: a launched host is refused.
 */
import { existsSync, lstatSync, rmdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { HansaError, isErrno } from "../errors.ts";
import { loadNodeFile } from "../processes/node-file.ts";
import { isWitness } from "../processes/witness-home.ts";
import { type InstallHost, isOurLink, loadRecord } from "./install.ts";
import { installPaths } from "./install-paths.ts";
import { type InstallRecord, planUninstall, type UninstallStep } from "./install-plan.ts";

export interface Uninstall {
  readonly steps: readonly UninstallStep[];
  readonly record: InstallRecord;
}

/** Throws INSTALL_REFUSED while the host is a node, or a witness. */
export async function requireNoNode({ host }: InstallHost): Promise<void> {
  if (isWitness(host.paths)) {
    throw new HansaError("INSTALL_REFUSED", "the host is a witness, which needs its program", {
      hint: "take its vote away with hansa qdevice remove on a node, then run hansa qdevice end here; hansa uninstall --force does the latter",
    });
  }
  const node = await loadNodeFile(host.paths.nodeFile);
  if (node === undefined) return;
  const text = `the host is node ${node.id} of the cluster ${node.cluster}, which needs its program`;
  throw new HansaError("INSTALL_REFUSED", text, {
    hint: "take it out of the cluster with hansa reset first, or let hansa uninstall --force do that",
  });
}

/** What would be removed here. Changes nothing. Throws INSTALL_REFUSED when nothing was installed. */
export async function uninstallSteps({ host }: InstallHost): Promise<Uninstall> {
  const paths = installPaths(host.paths.prefix);
  if (!existsSync(paths.record)) {
    throw new HansaError(
      "INSTALL_REFUSED",
      `hansa install made nothing on this host: there is no ${paths.record}`,
      {
        hint: "files that were put there by hand are removed by hand",
      },
    );
  }
  const record = await loadRecord(paths);
  const isOurs = (path: string): boolean => {
    const entry = lstatSync(path, { throwIfNoEntry: false });
    if (record.links.includes(path)) return entry?.isSymbolicLink() === true && isOurLink(path);
    return entry?.isFile() === true;
  };
  return { record, steps: planUninstall(record, paths, isOurs) };
}

/** Carries out `steps`, and tells each one before it. */
export async function carryOutRemoval(
  steps: readonly UninstallStep[],
  { command, starter }: InstallHost,
  tell: (step: UninstallStep) => void,
): Promise<void> {
  for (const step of steps) {
    tell(step);
    if (step.step === "remove-starter") await starter.remove();
    if (step.step === "remove") await rm(step.path, { force: true });
    if (step.step === "remove-folder") removeEmpty(step.path);
    if (step.step !== "remove-group") continue;
    const { status, stderr } = await command.run(["groupdel", step.name]);
    // 6: it is gone already.
    if (status === 0 || status === 6) continue;
    const text = `the group ${step.name} could not be removed: ${stderr.trim()}`;
    throw new HansaError("INSTALL_REFUSED", text);
  }
}

/** A folder that somebody else uses by now stays. */
function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!isErrno(error, "ENOENT") && !isErrno(error, "ENOTEMPTY")) throw error;
  }
}

/**
 * Takes the host out of its cluster as `hansa reset --force` does, and ends a witness as `hansa qdevice end` does; nothing on a host that is neither. Throws
 * INSTALL_REFUSED with its words.
 */
export async function resetNode(
  { host, command, source }: InstallHost,
  note: (line: string) => void,
): Promise<void> {
  const end = async (what: string, ...words: string[]): Promise<void> => {
    const done = await command.run([source, ...words], { timeoutMs: 120_000 });
    const said = done.stderr.trim().split("\n").filter(Boolean);
    if (done.status !== 0) {
      const why = said.find((line) => line.includes("Error")) ?? said.at(-1) ?? "";
      throw new HansaError("INSTALL_REFUSED", `the ${what}: ${why}`, {
        hint: `see what hansa ${words.join(" ")} says`,
      });
    }
    for (const line of [...said, ...done.stdout.trim().split("\n")]) note(line);
  };
  if (isWitness(host.paths)) await end("witness could not be ended", "qdevice", "end");
  if ((await loadNodeFile(host.paths.nodeFile)) === undefined) return;
  await end("node could not be reset", "reset", "--force");
}
