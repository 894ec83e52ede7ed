/**
 * Switches a host on and off: its namespaces, disk and first process.
 *
 * Invariant: off means that no process, network namespace or control group of the host is left, only its disk. So a kill
 * loses what a power cut loses: interfaces, routes, rules, /run, all processes.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync } from "node:fs";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HansaError } from "../errors.ts";
import { removeControlGroups } from "./control-groups.ts";
import { applyDelays } from "./delay.ts";
import { hostEnvironment } from "./environment.ts";
import {
  cgroupOf,
  hostDir,
  hostNetns,
  hostsFile,
  NETNS_DIR,
  OUTSIDE_ADDRESS,
  playgroundDir,
} from "./layout.ts";
import { makeHostNetwork, removeLinks, removeNetns, setLinks, setRules } from "./network.ts";
import { childOf, identify, killAll, type ProcessId, processesIn, until } from "./processes.ts";
import { initOf, locked, mustReadState, type State, updateState, writeState } from "./state.ts";

/** Mount points and working folders on a host's disk. */
const FOLDERS = [
  "docker",
  "hansa",
  "etc",
  "etc-work",
  "etc-docker",
  "etc-hansa",
  "local-bin",
  "local-bin-work",
  "log",
  "root",
  "root-work",
  "tmp",
  "ram",
];

/**
 * Switches host `i` on; returns when its first process runs, before Docker does.
 *
 * Throws PLAYGROUND_FAILED when it is on already.
 */
export async function powerOn(name: string, i: number): Promise<void> {
  const state = mustReadState(name);
  if (initOf(state, i)) throw new HansaError("PLAYGROUND_FAILED", `host${i} is on already`);
  await removeRemains(name, i, state);
  await Promise.all([prepareDisk(name, i, state), makeHostNetwork(name, i, state.links)]);
  // The network is as broken as it should be before the first process can send a packet.
  await setLinks(name, i, state.links, state.impairments);
  await setRules(name, i, state, state.impairments);
  const init = await startInit(name, i, state.binary);
  await locked(name, async () => {
    const now = mustReadState(name);
    await writeState(name, { ...now, running: { ...now.running, [i]: init } });
    // Again, because commands may have changed it meanwhile; delays need the host registered.
    await setLinks(name, i, now.links, now.impairments);
    await setRules(name, i, now, now.impairments);
    const delays = now.impairments.delays.filter(({ a, b }) => a === i || b === i);
    await applyDelays(name, { ...now, impairments: { ...now.impairments, delays } });
  });
}

/** Cuts host `i`'s power; fine when it is off already. */
export async function powerOff(name: string, i: number): Promise<void> {
  await removeRemains(name, i, mustReadState(name));
  await updateState(name, (state) => {
    const running = Object.entries(state.running).filter(([host]) => host !== `${i}`);
    return { ...state, running: Object.fromEntries(running) };
  });
}

/** Removes all of the disk of host `i`, which is off. */
export async function eraseDisk(name: string, i: number): Promise<void> {
  await rm(hostDir(name, i), { recursive: true, force: true });
}

async function removeRemains(name: string, i: number, state: State): Promise<void> {
  const init = initOf(state, i);
  await removeLinks(name, i, state.links);
  // Pid 1 first: with it the kernel kills all others of the host at the same moment.
  if (init !== undefined) await killAll([init]);
  await killAll(processesIn([hostNetns(name, i)]));
  await removeNetns(hostNetns(name, i));
  await removeControlGroups(name, i);
}

async function prepareDisk(name: string, i: number, state: State): Promise<void> {
  const disk = hostDir(name, i);
  await rm(join(disk, "tmp"), { recursive: true, force: true });
  for (const folder of FOLDERS) await mkdir(join(disk, folder), { recursive: true });
  // World-writable with the sticky bit, whatever our umask is.
  await chmod(join(disk, "tmp"), 0o1777);
  if (existsSync(join(disk, "etc/hostname"))) return;
  const machine = createHash("sha256").update(`${name} host${i} ${state.seed}`).digest("hex");
  const files: Readonly<Record<string, string>> = {
    hostname: `host${i}\n`,
    hosts: hostsFile(state.hosts, state.links),
    "machine-id": `${machine.slice(0, 32)}\n`,
    // Nobody serves names there, and it says so at once: an unknown name fails in milliseconds instead of timing out.
    "resolv.conf": `nameserver ${OUTSIDE_ADDRESS}\n`,
  };
  for (const [file, text] of Object.entries(files)) await writeFile(join(disk, "etc", file), text);
}

/** Starts the boot script in new namespaces, detached from us, and returns the process that is pid 1 there. */
async function startInit(name: string, i: number, binary: string): Promise<ProcessId> {
  const disk = hostDir(name, i);
  const log = openSync(join(disk, "log/console.log"), "a");
  const child = spawn(
    "nsenter",
    [
      `--net=${NETNS_DIR}/${hostNetns(name, i)}`,
      ...["unshare", "-m", "-u", "-p", "-f", "--mount-proc", "--kill-child=KILL"],
      ...["sh", join(playgroundDir(name), "boot.sh")],
    ],
    {
      detached: true,
      cwd: "/",
      stdio: ["ignore", log, log],
      env: hostEnvironment({
        HPG_NAME: name,
        HPG_HOST: `host${i}`,
        HPG_DISK: disk,
        HPG_BINARY: binary,
        HPG_CGROUP: `/${cgroupOf(name, i)}`,
      }),
    },
  );
  closeSync(log);
  child.on("error", () => {
    // Reported below: there is no process then.
  });
  child.unref();
  const { pid } = child;
  let init: ProcessId | undefined;
  const isStarted = (): boolean => {
    const first = pid === undefined ? undefined : childOf(pid);
    init = first === undefined ? undefined : identify(first);
    return init !== undefined || child.exitCode !== null;
  };
  await until(isStarted, 60_000, () => `host${i} does not start`);
  if (init !== undefined) return init;
  throw new HansaError("PLAYGROUND_FAILED", `host${i} ended as it started: see ${disk}/log`);
}
