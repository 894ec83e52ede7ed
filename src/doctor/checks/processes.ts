/** The processes of a launched node run, and Docker will find the plugin again. */
import { HansaError } from "../../errors.ts";
import type { Facts } from "../facts.ts";
import { type Finding, finding, findingOf } from "../finding.ts";
import { type Check, hostCheck } from "./check.ts";

export const daemonAnswers: Check = {
  name: "the daemon answers",
  run({ host, node }: Facts): readonly Finding[] | { readonly skipped: string } {
    if (host.launched === undefined) return { skipped: "this host was never launched" };
    if (node !== undefined) return [];
    const { id, name } = host.launched;
    const why = host.isStopped ? ": it was stopped on purpose" : "";
    const text = `the host was launched as node ${id} (${name}), but its daemon does not answer${why}`;
    return [findingOf(new HansaError("NODE_NOT_RUNNING", text, { hint: "hansa resume" }))];
  },
};

export const processesAlive = hostCheck(
  "the processes run",
  ({ processes, launched, isStopped }) => {
    if (launched === undefined) return { skipped: "this host was never launched" };
    if (isStopped) return { skipped: "the node was stopped on purpose" };
    return processes
      .filter(({ isRunning }) => !isRunning)
      .map(({ name, by }) => {
        const evidence = `the process ${name} does not run, says ${by}`;
        return finding("DOCTOR_PROCESS_DOWN", evidence);
      });
  },
);

export const pluginSpec = hostCheck("Docker finds the plugin", ({ pluginSpec, launched }) => {
  const { path, expected, found } = pluginSpec;
  if (launched === undefined) return { skipped: "this host was never launched" };
  if (found === undefined) return { skipped: `${path} could not be read` };
  if (found?.trim() === expected) return [];
  const evidence =
    found === null
      ? `${path} does not exist`
      : `${path} says ${JSON.stringify(found.trim().slice(0, 100))} instead of ${expected}`;
  const mend = `mkdir -p ${path.replace(/\/[^/]*$/, "")} && echo ${expected} > ${path}`;
  return [finding("DOCTOR_PLUGIN_SPEC", evidence, { mend })];
});
