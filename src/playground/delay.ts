/**
 * Delay and loss between two hosts without the kernel's netem, which many kernels lack.
 *
 * A tunnel device in each of the two hosts takes what is addressed to the other, by host routes; socat carries each packet as
 * one datagram to a relay of ours, which holds it back or drops it and hands it to the other side. Both socats and the
 * relay run in the switch's namespace: their ports meet nobody else's, and they are found and ended with it.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { isSea } from "node:sea";
import { HansaError } from "../errors.ts";
import { systemCommand } from "../host/command.ts";
import { hostEnvironment } from "./environment.ts";
import { type Delay, isLinkUp } from "./impairment.ts";
import { addressOf, delayDevice, hostNetns, NETNS_DIR, switchNetns } from "./layout.ts";
import { hasNetns, must } from "./network.ts";
import { killAll, type ProcessId, processesIn, until } from "./processes.ts";
import { initOf, type State } from "./state.ts";

/** Ends the relays of pairs and starts those of `state`'s delays anew; only the pairs in `pairs` where that is given. */
export async function applyDelays(
  name: string,
  state: State,
  pairs: readonly { readonly a: number; readonly b: number }[] = state.impairments.delays,
): Promise<void> {
  for (const { a, b } of pairs) await killAll(relayProcesses(name, pairName(a, b)));
  for (const delay of state.impairments.delays) {
    const { a, b } = delay;
    if (!pairs.some((pair) => pairName(pair.a, pair.b) === pairName(a, b))) continue;
    if (initOf(state, a) === undefined || initOf(state, b) === undefined) continue;
    await startRelay(name, delay, state.seed);
    await Promise.all([attach(name, a, b), attach(name, b, a)]);
  }
  await routeDelays(name, state);
}

/** Sends through the tunnels what may pass: addresses on links that are plugged in at both ends. */
export async function routeDelays(name: string, state: State): Promise<void> {
  for (const { a, b } of state.impairments.delays) {
    if (initOf(state, a) === undefined || initOf(state, b) === undefined) continue;
    await Promise.all([setRoutes(name, a, b, state), setRoutes(name, b, a, state)]);
  }
}

async function setRoutes(name: string, i: number, j: number, state: State): Promise<void> {
  const lines: string[] = [];
  for (let link = 0; link < state.links; link += 1) {
    const isUp = isLinkUp(i, link, state.impairments) && isLinkUp(j, link, state.impairments);
    const route = `${addressOf(j, link)}/32 dev ${delayDevice(i, j)} src ${addressOf(i, link)}`;
    lines.push(isUp ? `route replace ${route}\n` : `route delete ${route}\n`);
  }
  // -force: deleting a route that is not there is what we want, and no reason to stop.
  const argv = ["ip", "-n", hostNetns(name, i), "-force", "-batch", "-"];
  await systemCommand.run(argv, { stdin: lines.join("") });
}

/** The end of pair (i, j) in host `i`: a device made in the switch, where its socat runs, and moved into the host. */
async function attach(name: string, i: number, j: number): Promise<void> {
  const device = delayDevice(i, j);
  const netns = switchNetns(name);
  start(name, pairName(i, j), [
    "socat",
    `TUN,tun-name=${device},iff-no-pi`,
    `UDP4:127.0.0.1:${relayPort(i, j)},bind=127.0.0.1:${socatPort(i, j)}`,
  ]);
  const show = ["ip", "-n", netns, "link", "show", "dev", device];
  await until(
    async () => (await systemCommand.run(show)).status === 0,
    60_000,
    () => `the tunnel ${device} does not appear`,
  );
  if (!hasNetns(hostNetns(name, i))) return;
  await must(["ip", "-n", netns, "link", "set", device, "netns", hostNetns(name, i)]);
  await must(["ip", "-n", hostNetns(name, i), "link", "set", device, "mtu", "1500", "up"]);
}

async function startRelay(name: string, delay: Delay, seed: number): Promise<void> {
  const { a, b, ms, loss } = delay;
  const settings = {
    ports: [relayPort(a, b), relayPort(b, a)],
    peers: [socatPort(a, b), socatPort(b, a)],
    ms,
    loss,
    seed: seed + a * 100 + b,
  };
  const child = start(name, pairName(a, b), [...relayProgram(), JSON.stringify(settings)], "pipe");
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error("it said nothing")), 60_000);
  child.stdout?.once("data", () => resolve());
  child.once("exit", (code) => reject(new Error(`it ended with ${code}`)));
  try {
    await promise;
  } catch (cause) {
    throw new HansaError("PLAYGROUND_FAILED", `the relay of hosts ${a} and ${b} does not start`, {
      cause,
    });
  } finally {
    clearTimeout(timer);
    child.stdout?.destroy();
    child.removeAllListeners();
    child.unref();
  }
}

/** How this very program is started again as a relay: as one executable, from sources, or as a bundle. */
function relayProgram(): readonly string[] {
  if (isSea()) return [process.execPath, "playground", "_relay"];
  const self = import.meta.filename;
  if (self !== undefined && basename(self) === "delay.ts") {
    return [process.execPath, join(import.meta.dirname, "relay-program.ts")];
  }
  return [process.execPath, process.argv[1] ?? "", "playground", "_relay"];
}

function start(
  name: string,
  pair: string,
  argv: readonly string[],
  stdout: "pipe" | "ignore" = "ignore",
): ReturnType<typeof spawn> {
  const child = spawn("nsenter", [`--net=${NETNS_DIR}/${switchNetns(name)}`, "--", ...argv], {
    detached: true,
    cwd: "/",
    stdio: ["ignore", stdout, "ignore"],
    env: hostEnvironment({ HPG_DELAY: pair }),
  });
  child.on("error", () => {
    // Seen by who waits for the device or the first word.
  });
  child.unref();
  return child;
}

/** The processes of one pair, known by their environment; nobody else is in the switch's namespace but the outside's programs. */
function relayProcesses(name: string, pair: string): readonly ProcessId[] {
  return processesIn([switchNetns(name)]).filter(({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`HPG_DELAY=${pair}`);
    } catch {
      // It ended meanwhile.
      return false;
    }
  });
}

function pairName(a: number, b: number): string {
  return a < b ? `${a}x${b}` : `${b}x${a}`;
}

/** Where the relay listens for what host `i` sends to host `j`. */
function relayPort(i: number, j: number): number {
  return 20_000 + i * 100 + j;
}

function socatPort(i: number, j: number): number {
  return 30_000 + i * 100 + j;
}
