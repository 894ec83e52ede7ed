/**
 * The inside of a lab host: runs in network, mount and process namespaces of its own and does what its parent asks, one JSON request a
 * line on standard input, one answer a line on standard output. Ends with its input, and the namespaces with it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { systemClock } from "../../host/clock.ts";
import { type Command, systemCommand } from "../../host/command.ts";
import { KernelWireguard } from "../kernel-wireguard.ts";
import { LinuxOverlay } from "../linux-overlay.ts";
import type { OverlayConfig, OverlaySecrets } from "../overlay-config.ts";
import { UapiWireguard } from "../uapi-wireguard.ts";
import type { DeviceChange } from "../wireguard-plan.ts";

export type LabRequest =
  | { readonly op: "run"; readonly argv: readonly string[]; readonly stdin?: string }
  | { readonly op: "set"; readonly config: OverlayConfig; readonly secrets: OverlaySecrets }
  | { readonly op: "observe" | "clean-up" | "restart-daemon" | "start-tunnel" | "kill-tunnel" }
  /** Start watching, then restore at each change; "restored" tells how long the last restoration took. */
  | { readonly op: "heal"; readonly config: OverlayConfig; readonly secrets: OverlaySecrets }
  /** `change` by way of the program wg, which speaks to wireguard-go as well; then what wg and the socket tell. */
  | { readonly op: "by-wg"; readonly change: DeviceChange }
  /** The programs, as they were called, that the overlay started since this was asked last. */
  | { readonly op: "programs" };

let programs: string[] = [];
const command: Command = {
  run(argv, given) {
    programs.push(argv.join(" "));
    return systemCommand.run(argv, given);
  },
};
const options = {
  command,
  clock: systemClock,
  bridge: "hansa0",
  // In the memory of this lab host: the machine's own state is not ours.
  formerSysctls: "/run/sysctls.json",
  tunnelDeadlineMs: Number(process.argv[2] ?? 5000),
};
let overlay = new LinuxOverlay(options);
let tunnel: ChildProcess | undefined;

for (const directory of ["/run", "/sys"]) {
  const type = directory === "/run" ? "tmpfs" : "sysfs";
  await systemCommand.run(["mount", "-t", type, type, directory]);
}

createInterface({ input: process.stdin })
  .on("line", (line) => void answer(line))
  .on("close", () => process.exit(0));
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);

async function answer(line: string): Promise<void> {
  const { id, request }: { id: number; request: LabRequest } = JSON.parse(line);
  let reply: object;
  try {
    reply = { id, value: (await carryOut(request)) ?? null };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    reply = { id, error: error instanceof Error ? error.message : String(error), code };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

async function carryOut(request: LabRequest): Promise<unknown> {
  switch (request.op) {
    case "run": {
      const { argv, stdin } = request;
      return systemCommand.run(argv, { timeoutMs: 120_000, ...(stdin !== undefined && { stdin }) });
    }
    case "set":
      return overlay.set(request.config, request.secrets);
    case "observe":
      return overlay.observe();
    case "clean-up":
      return overlay.cleanUp();
    case "restart-daemon":
      overlay = new LinuxOverlay(options);
      return undefined;
    case "heal":
      overlay.watch(() => {
        overlay.set(request.config, request.secrets).catch((error: Error) => {
          process.stderr.write(`lab host: ${error.message}\n`);
        });
      });
      return undefined;
    case "start-tunnel":
      tunnel = spawn(process.execPath, [join(import.meta.dirname, "tunnel-main.ts")], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      return tunnel.pid;
    case "kill-tunnel": {
      const { promise, resolve } = Promise.withResolvers<void>();
      tunnel?.once("exit", () => resolve());
      tunnel?.kill("SIGKILL");
      return promise;
    }
    case "by-wg": {
      const device = new KernelWireguard("hansa-wg", systemCommand, "/run/hansa/wireguard");
      await device.apply(request.change);
      const uapi = new UapiWireguard("/run/wireguard/hansa-wg.sock");
      const states = await Promise.all([device.read(), uapi.read()]);
      return states.map((state) => state && { ...state, peers: [...state.peers] });
    }
    case "programs": {
      const started = programs;
      programs = [];
      return started;
    }
  }
}
