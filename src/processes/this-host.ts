/** What starting and launching ask the host: the real answers, replaceable one by one in tests. */

import { findTool, kernelHasWireguard } from "./host-tools.ts";
import type { NodeFile } from "./node-file.ts";
import { hansaPaths, type Paths } from "./paths.ts";
import { type ProcessSpec, processList } from "./process-list.ts";
import { searchPath } from "./start-process.ts";
import { thisProgram } from "./this-program.ts";

export interface ThisHost {
  readonly paths: Paths;
  readonly isRoot: boolean;
  readonly kernelHasWireguard: boolean;
  /** Where programs are looked for. */
  readonly folders: readonly string[];
  readonly dockerHost: string;
  /** The words before a role: see `thisProgram`. */
  readonly program: readonly string[];
  /** The processes of a node on this host, in the order of starting. */
  processes(node: NodeFile): readonly ProcessSpec[];
  /** How long a daemon may take to answer after its start. */
  readonly readyWithinMs: number;
}

/** This host as it is. */
export function thisHost(): ThisHost {
  const program = thisProgram();
  const folders = searchPath(process.env);
  const hasWireguard = kernelHasWireguard();
  return {
    paths: hansaPaths(),
    isRoot: process.getuid?.() === 0,
    kernelHasWireguard: hasWireguard,
    folders,
    dockerHost: process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock",
    program,
    processes(node) {
      const needsTunnel = node.encryption === "wireguard" && !hasWireguard;
      // Missing since the launch: the other processes are worth starting all the same.
      const wireguardGo = needsTunnel ? findTool("wireguard-go", folders) : undefined;
      return processList({ program, wireguardGo });
    },
    readyWithinMs: 15_000,
  };
}
