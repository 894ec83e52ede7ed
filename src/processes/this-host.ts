/** What starting and launching ask the host: the real answers, replaceable one by one in tests. */
import { existsSync } from "node:fs";

import { findTool, kernelHasWireguard } from "./host-tools.ts";
import type { NodeFile } from "./node-file.ts";
import { hansaPaths, type Paths } from "./paths.ts";
import { type ProcessSpec, processList } from "./process-list.ts";
import { searchPath } from "./start-process.ts";
import { storeProcess } from "./store-process.ts";
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
  /** The processes of a node on this host, in the order of starting; asked again it may be more or fewer: see store-process.ts. */
  processes(node: NodeFile): readonly ProcessSpec[];
  /** How long a daemon may take to answer after its start. */
  readonly readyWithinMs: number;
}

/** This host as it is; its processes of this very program, or of another. */
export function thisHost(program: readonly string[] = thisProgram()): ThisHost {
  const paths = hansaPaths();
  const folders = searchPath(process.env);
  const hasWireguard = kernelHasWireguard();
  return {
    paths,
    isRoot: process.getuid?.() === 0,
    kernelHasWireguard: hasWireguard,
    folders,
    dockerHost: process.env["DOCKER_HOST"] || "unix:///var/run/docker.sock",
    program,
    processes(node) {
      const store = storeProcess(paths, folders);
      if (node.encryption === "none") return processList({ program, tunnel: "none", store });
      // A unit's text outlives a change of kernel, so there the role decides at each start.
      const direct = !hasWireguard && !existsSync(paths.systemdMark);
      const wireguardGo = direct ? findTool("wireguard-go", folders) : undefined;
      const tunnel = wireguardGo === undefined ? "role" : { wireguardGo };
      return processList({ program, tunnel, store });
    },
    readyWithinMs: 60_000,
  };
}
