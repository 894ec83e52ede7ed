/**
 * The record of one playground: its size, its hosts' first processes, and what is wrong with its network.
 *
 * Invariant: it is changed only under the playground's lock, read anew inside it and replaced whole, so commands and test
 * programs may change one playground side by side. Format: JSON with a version; a newer one is refused.
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { HansaError, isErrno } from "../errors.ts";
import { atomicWrite } from "../host/files.ts";
import type { Impairments } from "./impairment.ts";
import { playgroundDir, ROOT_DIR } from "./layout.ts";
import { identify, isAlive, type ProcessId, until } from "./processes.ts";

export interface State {
  readonly version: 1;
  /** Number of hosts; they are numbered from 1. */
  readonly hosts: number;
  /** Links of each host; numbered from 0. */
  readonly links: number;
  /** The playground's own copy of the executable that hosts begin with as /usr/local/bin/hansa; empty for none. */
  readonly binary: string;
  /** The program that made it and takes it along when it ends; none for one made by the command line. */
  readonly owner?: ProcessId | undefined;
  /** Pid 1 of each running host as the machine sees it, by host number. */
  readonly running: Readonly<Record<string, ProcessId>>;
  readonly impairments: Impairments;
  /** Seed of the relays' losses. */
  readonly seed: number;
}

const integer = z.number().int().nonnegative();
const processId = z.object({ pid: integer, start: z.string() });
const blockedPort = { protocol: z.enum(["udp", "tcp"]), port: integer };
const pair = { a: integer, b: integer };
const schema = z.object({
  version: z.literal(1),
  hosts: integer,
  links: integer,
  binary: z.string(),
  owner: processId.optional(),
  running: z.record(z.string(), processId),
  impairments: z.object({
    cuts: z.array(z.object({ host: integer, link: integer })),
    groups: z.array(z.array(integer)),
    oneways: z.array(
      z.object({ from: integer, to: integer, only: z.object(blockedPort).optional() }),
    ),
    blocks: z.array(z.object({ ...pair, ...blockedPort })),
    delays: z.array(z.object({ ...pair, ms: z.number(), loss: z.number() })),
  }),
  seed: integer,
});

/**
 * The record of playground `name`, or undefined when there is none. Throws STATE_DAMAGED when it cannot be understood.
 *
 * Reads at once and not by a promise, so that a host's pid can be a plain property; the file is small.
 */
export function readState(name: string): State | undefined {
  const path = join(playgroundDir(name), "state.json");
  try {
    return schema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    if (isErrno(cause, "ENOENT")) return undefined;
    throw new HansaError("STATE_DAMAGED", `${path} does not have the form that hansa writes`, {
      cause,
      hint: `remove that playground with: hansa playground --name ${name} down`,
    });
  }
}

/** Replaces the record; the caller holds the lock. */
export function writeState(name: string, state: State): Promise<void> {
  const text = `${JSON.stringify(state, undefined, 2)}\n`;
  return atomicWrite(join(playgroundDir(name), "state.json"), text, 0o644);
}

/** The record; throws PLAYGROUND_NOT_FOUND when no such playground is up. */
export function mustReadState(name: string): State {
  const state = readState(name);
  if (state !== undefined) return state;
  throw new HansaError("PLAYGROUND_NOT_FOUND", `no playground ${name} is up`);
}

/** Replaces the record by what `change` makes of it, under the lock, and returns it. */
export function updateState(name: string, change: (state: State) => State): Promise<State> {
  return locked(name, async () => {
    const state = change(mustReadState(name));
    await writeState(name, state);
    return state;
  });
}

/** Host `i`'s pid 1, or undefined when the host is off or its pid 1 has ended. */
export function initOf(state: State, i: number): ProcessId | undefined {
  const init = state.running[i];
  return init !== undefined && isAlive(init) ? init : undefined;
}

/**
 * Runs `change` while no other process changes playground `name`; a lock whose holder has died is taken over.
 *
 * Throws PLAYGROUND_BUSY when another holds it for longer than `waitMs`.
 */
export async function locked<T>(
  name: string,
  change: () => Promise<T>,
  waitMs = 60_000,
): Promise<T> {
  const path = `${playgroundDir(name)}.lock`;
  try {
    await until(
      () => isTaken(path),
      waitMs,
      () => "",
    );
  } catch (cause) {
    const text = `another process is changing the playground ${name}`;
    throw new HansaError("PLAYGROUND_BUSY", text, { cause });
  }
  try {
    return await change();
  } finally {
    rmSync(path, { force: true });
    removeIfEmpty(ROOT_DIR);
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!isErrno(error, "ENOTEMPTY") && !isErrno(error, "ENOENT")) throw error;
  }
}

/** Takes the lock file when it is free or its holder is gone. */
function isTaken(path: string): boolean {
  const own = identify(process.pid);
  mkdirSync(ROOT_DIR, { recursive: true, mode: 0o711 });
  try {
    const file = openSync(path, "wx", 0o600);
    try {
      writeSync(file, JSON.stringify(own));
    } finally {
      closeSync(file);
    }
    return true;
  } catch (error) {
    // ENOENT: the folder was empty a moment ago, and its last user removed it.
    if (isErrno(error, "ENOENT")) return false;
    if (!isErrno(error, "EEXIST")) throw error;
  }
  if (isHeld(path)) return false;
  rmSync(path, { force: true });
  return false;
}

function isHeld(path: string): boolean {
  try {
    const holder = processId.safeParse(JSON.parse(readFileSync(path, "utf8")));
    return holder.success && isAlive(holder.data);
  } catch (error) {
    // Gone meanwhile: try again. Not yet written whole: its holder is between two system calls, or died there.
    return !isErrno(error, "ENOENT") && !(error instanceof SyntaxError);
  }
}
