/** What lies outside a playground's hosts: programs in the switch's namespace, for tests of traffic to and from the rest of the world. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { hostEnvironment } from "./environment.ts";
import { NETNS_DIR, switchNetns } from "./layout.ts";

export class Outside {
  readonly playground: string;
  /** The address that its programs have, as hosts see it. */
  readonly address: string;

  constructor(playground: string, address: string) {
    this.playground = playground;
    this.address = address;
  }

  /** Starts a program of this machine there, with pipes; killing the child ends it, and so does `down`. */
  spawn(argv: readonly string[]): ChildProcessWithoutNullStreams {
    const netns = `--net=${NETNS_DIR}/${switchNetns(this.playground)}`;
    return spawn("nsenter", [netns, "--", ...argv], { env: hostEnvironment() });
  }
}
