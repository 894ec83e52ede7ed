/**
 * witness.json: the key of a witness, its ports, and whose witness it is. Root's alone: it holds the private key, and while nobody has taken the witness, the
 * code by which somebody may.
 *
 * Invariant: it has a code or a claim, never both.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { HansaError } from "../errors.ts";
import { atomicWrite, ensureDir, readJson } from "../host/files.ts";
import { createSigningKey } from "../identity/signing-request.ts";
import type { Paths } from "../processes/paths.ts";
import { witnessFileIn, witnessHome } from "../processes/witness-home.ts";
import { CODE_BYTES, codeOf, isText, parseClaim, type WitnessClaim } from "./witness-protocol.ts";

export interface WitnessFile {
  readonly version: 1;
  /** PKCS #8, PEM; never leaves this host. */
  readonly key: string;
  readonly ports: WitnessPorts;
  readonly code?: string;
  readonly claim?: WitnessClaim;
}

export interface WitnessPorts {
  /** TCP, for the nodes. */
  readonly witness: number;
  /** TCP, on loopback: etcd for the other voters. */
  readonly raft: number;
  /** TCP, on loopback: etcd for this process. */
  readonly store: number;
  /** TCP, on loopback: by which etcd finds the other voters. */
  readonly proxy: number;
}

export const DEFAULT_WITNESS_PORTS: WitnessPorts = {
  ...{ witness: 5403, raft: 9213, store: 2379, proxy: 9214 },
};

/** Of the witness' own processes: below the host's folders, apart from a node's. Its etcd is a child of its own, also under systemd. */
export function witnessPaths(paths: Paths): Paths {
  const stateDir = witnessHome(paths);
  const runDir = `${paths.runDir}-witness`;
  return {
    ...{ ...paths, stateDir, runDir, logDir: join(stateDir, "log") },
    ...{ stoppedMark: join(runDir, "stopped"), systemdMark: join(runDir, "no-unit") },
  };
}

export function newWitness(ports: WitnessPorts): WitnessFile {
  return { version: 1, key: createSigningKey(), ports, code: codeOf(randomBytes(CODE_BYTES)) };
}

/** As nobody's again: with another key, so that what it was is over, and another code. */
export function releasedWitness({ ports }: WitnessFile): WitnessFile {
  return newWitness(ports);
}

export function claimedWitness(file: WitnessFile, claim: WitnessClaim): WitnessFile {
  const { code: _, ...rest } = file;
  return { ...rest, claim };
}

/** Undefined on a host that is no witness. `paths` are the witness' own. Throws STATE_DAMAGED. */
export async function loadWitness(paths: Paths): Promise<WitnessFile | undefined> {
  const path = witnessFileIn(paths.stateDir);
  const value = await readJson(path);
  if (value === undefined) return undefined;
  const { version, key, ports, code, claim } = value as Record<string, unknown>;
  const isGood =
    version === 1 &&
    isText(key, 8192) &&
    arePorts(ports) &&
    (code === undefined ? claim !== undefined : isText(code, 64) && claim === undefined);
  if (!isGood) throw new HansaError("STATE_DAMAGED", `${path} is damaged: it names no witness`);
  const base = { version: 1, key, ports } as const;
  if (isText(code, 64)) return { ...base, code };
  return { ...base, claim: parseClaim(claim as Record<string, unknown>) };
}

/** On disk before it returns. Throws STATE_UNWRITABLE. */
export async function saveWitness(paths: Paths, file: WitnessFile): Promise<void> {
  await ensureDir(paths.stateDir, 0o700);
  await atomicWrite(witnessFileIn(paths.stateDir), `${JSON.stringify(file, null, 2)}\n`, 0o600);
}

function arePorts(value: unknown): value is WitnessPorts {
  if (typeof value !== "object" || value === null) return false;
  const { witness, raft, store, proxy } = value as Record<string, unknown>;
  return [witness, raft, store, proxy].every((port) => Number.isInteger(port) && Number(port) > 0);
}
