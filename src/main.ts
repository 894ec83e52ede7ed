/**
 * The executable: hands argv to one of its roles. Each is imported only when it is asked for, because the smallest commands
 * must start in milliseconds and the address plugin must stay small.
 */
import { hideArguments } from "./cli/hide-arguments.ts";
import { HansaError, isHansaError } from "./errors.ts";

const argv = process.argv.slice(2);
hideArguments(argv);

/** What the host's processes run as; not for people, so help does not list them. */
const ROLES: Readonly<Record<string, (argv: readonly string[]) => Promise<number>>> = {
  daemon: async () => (await import("./daemon/main.ts")).runDaemon(),
  "ipam-plugin": async () => {
    const { hansaPaths } = await import("./processes/paths.ts");
    const { keepSupervised } = await import("./processes/keep-supervised.ts");
    const { predecessorOf } = await import("./processes/predecessor.ts");
    const { runIpamPlugin } = await import("./plugin/main.ts");
    const { ipamSocket, controlSocket, stateDir } = hansaPaths();
    keepSupervised((error) => process.stderr.write(`the supervisor could not start: ${error}\n`));
    return runIpamPlugin({
      socket: ipamSocket,
      control: controlSocket,
      stateDir: `${stateDir}/ipam`,
      predecessor: predecessorOf(process.env),
    });
  },
  tunnel: async ([name = "hansa-wg"]) =>
    (await import("./overlay/tunnel-process.ts")).runTunnel(name),
  supervise: async () => (await import("./processes/run-supervisor.ts")).runSupervisor(),
  witness: async () => (await import("./witness/run-witness.ts")).runWitness(),
  "witness-supervise": async () =>
    (await import("./witness/witness-process.ts")).runWitnessSupervisor(),
  starter: async () => (await import("./starter/run-starter.ts")).runStarter(),
  boot: async ([stage]) => {
    const exit = await (await import("./processes/boot.ts")).runBoot(bootStage(stage));
    if (stage === "early") {
      await (await import("./install/starter-at-boot.ts")).starterAtBoot();
      await (await import("./witness/witness-process.ts")).witnessAtBoot();
    }
    return exit;
  },
};

const role = ROLES[argv[0] ?? ""];
// Whoever waits for something that nothing will ever wake it for has failed, and Node would end it with 0.
process.exitCode = 1;
void (role === undefined ? commandLine() : runRole(role)).then((exit) => process.exit(exit));

async function commandLine(): Promise<number> {
  const { programName } = await import("./cli/program-name.ts");
  const { thisTerminal } = await import("./cli/terminal.ts");
  const { runCli } = await import("./cli/main.ts");
  return runCli(argv, thisTerminal(programName(process.argv0, process.argv[1])));
}

/** A role fails in the words of the command line, which its log keeps. */
async function runRole(run: (argv: readonly string[]) => Promise<number>): Promise<number> {
  try {
    return await run(argv.slice(1));
  } catch (error) {
    const { reportError } = await import("./cli/report-error.ts");
    // The log of a role is where a defect's stack belongs; what we foresaw needs none.
    const { lines, exit } = reportError(error, !isHansaError(error));
    for (const line of lines) process.stderr.write(`[hansa ${argv[0]}] ${line}\n`);
    return exit;
  }
}

function bootStage(stage: string | undefined): "early" | "late" {
  if (stage === "early" || stage === "late") return stage;
  throw new HansaError("USAGE", "expected argument(s): early or late", {
    hint: "init scripts call hansa boot early before dockerd and hansa boot late after it",
  });
}
