/** Who keeps the host's clock, as far as that can be told without a program of our own in the kernel. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { codedSentence, isErrno } from "../errors.ts";
import { systemCommand } from "../host/command.ts";
import { findTool } from "../processes/host-tools.ts";
import type { ClockFacts } from "./facts.ts";

/** The first process namespace of a machine (PROC_PID_INIT_INO of the kernel); in any other the clock is another's to keep. */
const FIRST_NAMESPACE = "pid:[4026531836]";

/** Names as /proc/PID/comm has them, cut at 15 letters. */
const KEEPERS: readonly string[] = [
  ...["chronyd", "ntpd", "openntpd", "systemd-timesyn", "ntpd-rs", "phc2sys", "vmtoolsd"],
];

export async function clockFacts(folders: readonly string[]): Promise<ClockFacts> {
  if (readlinkSync("/proc/self/ns/pid") !== FIRST_NAMESPACE) {
    return { isOurs: false, isSynchronised: undefined, by: "" };
  }
  const timedatectl = findTool("timedatectl", folders);
  if (timedatectl !== undefined) {
    const said = await ask(timedatectl);
    if (said !== undefined) return { isOurs: true, isSynchronised: said, by: "timedatectl" };
  }
  const keeper = runningKeeper();
  return {
    isOurs: true,
    isSynchronised: keeper !== undefined,
    by: keeper ?? `the list of processes (none of ${KEEPERS.join(", ")} runs)`,
  };
}

/** Undefined where systemd does not run. */
async function ask(timedatectl: string): Promise<boolean | undefined> {
  try {
    const argv = [timedatectl, "show", "--property=NTPSynchronized", "--value"];
    const { status, stdout } = await systemCommand.run(argv, { timeoutMs: 3_000 });
    if (status !== 0) return undefined;
    return stdout.trim() === "yes";
  } catch (error) {
    // It hangs without a bus to talk to: the processes tell instead.
    if (codedSentence(error).startsWith("COMMAND_TIMEOUT")) return undefined;
    throw error;
  }
}

function runningKeeper(): string | undefined {
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const name = readFileSync(`/proc/${entry}/comm`, "utf8").trim();
      if (KEEPERS.includes(name)) return name;
    } catch (error) {
      // It ended between the two looks.
      if (!isErrno(error, "ENOENT") && !isErrno(error, "ESRCH")) throw error;
    }
  }
  return undefined;
}
