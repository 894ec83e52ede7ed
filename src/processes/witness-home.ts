/**
 * Where a witness lies on its box, and that a box which is one becomes no node: its etcd has the ports that a node's would have, and two votes on one box fail
 * together.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { HansaError } from "../errors.ts";
import type { Paths } from "./paths.ts";

/** The folder of all that a witness has. */
export function witnessHome({ stateDir }: Pick<Paths, "stateDir">): string {
  return join(stateDir, "witness");
}

/** There on a box that is a witness, or waits to be one. `home` is `witnessHome`. */
export function witnessFileIn(home: string): string {
  return join(home, "witness.json");
}

export function isWitness(paths: Pick<Paths, "stateDir">): boolean {
  return existsSync(witnessFileIn(witnessHome(paths)));
}

/** Throws HOST_IS_WITNESS. */
export function refuseWitness(paths: Pick<Paths, "stateDir">): void {
  if (!isWitness(paths)) return;
  throw new HansaError(
    "HOST_IS_WITNESS",
    "this host is a witness, and becomes no node beside that",
  );
}
