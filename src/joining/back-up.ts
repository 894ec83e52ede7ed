/** A copy of the node that this host is, before --force makes it another one. */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { HansaError } from "../errors.ts";
import type { Command } from "../host/command.ts";
import type { Paths } from "../processes/paths.ts";

/** Beside the state, which a reset takes away. */
const FOLDER = "hansa-backups";

/** The file that now holds all of the node's state, its secrets too: readable by root only. Throws STATE_UNWRITABLE. */
export async function backUpNode(
  { stateDir }: Pick<Paths, "stateDir">,
  name: string,
  nowMs: number,
  command: Command,
): Promise<string> {
  const folder = join(dirname(stateDir), FOLDER);
  const stamp = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const file = join(folder, `${name}-${stamp}.tar.gz`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  closeSync(openSync(file, "wx", 0o600));
  const { status, stderr } = await command.run([
    ...["tar", "-czf", file, "--ignore-failed-read", "--warning=no-file-changed"],
    ...["-C", dirname(stateDir), basename(stateDir)],
  ]);
  // 1: a file changed while it was read, as logs do.
  if (status > 1) {
    throw new HansaError("STATE_UNWRITABLE", `${file} cannot be written: ${stderr.slice(0, 300)}`);
  }
  return file;
}
