/**
 * Gathers a report of this host, whether or not its node runs: our state and logs, and what the host's programs say of its network and Docker.
 *
 * Invariants: nothing on the host is changed; each program has a deadline; secrets are taken out before anything leaves this module, and the file
 * that holds them is not read into it; what could not be had is named with the reason.
 */
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { HostReport } from "../api/report-schema.ts";
import { codedSentence, isErrno, isHansaError } from "../errors.ts";
import { systemCommand } from "../host/command.ts";
import { type Identity, identityKeys } from "../identity/identity.ts";
import { IDENTITY_FILE, loadIdentity } from "../identity/identity-file.ts";
import { findTool } from "../processes/host-tools.ts";
import type { ThisHost } from "../processes/this-host.ts";
import { QUESTIONS } from "./host-questions.ts";
import { redact, spellings } from "./redact.ts";

const COMMAND_MS = 8_000;
/** Of each file its end; a report of many nodes is to stay small enough for a mail. */
const MAX_BYTES = 512 * 1024;
/** A key or a token as identity.json has it. */
const KEY_WORD = /[A-Za-z0-9+/_-]{20,}=*/g;

/** What the daemon can tell beside: its answers by file name, each made when it is asked for. */
export type Answers = Readonly<Record<string, () => Promise<string>>>;

/** The report of this moment. Takes up to 10 s. */
export async function collectReport(host: ThisHost, answers: Answers = {}): Promise<HostReport> {
  const { paths } = host;
  const missing: { path: string; why: string }[] = [];
  const gather = async (path: string, read: () => Promise<string>) => {
    try {
      return [{ path, text: await read() }];
    } catch (error) {
      missing.push({ path, why: codedSentence(error) });
      return [];
    }
  };
  const files = await Promise.all([
    ...Object.entries(answers).map(([path, answer]) => gather(path, answer)),
    ...(await stateFiles(paths.stateDir)).map(({ name, path }) =>
      gather(`state/${name}`, () => endOf(path)),
    ),
    ...(await namesIn(paths.logDir)).map((name) =>
      gather(`log/${name}`, () => endOf(join(paths.logDir, name))),
    ),
    gather("state/files.txt", () => listing(paths.stateDir)),
    gather("host/system.txt", () => endOf("/etc/os-release")),
    ...QUESTIONS.filter(({ argv }) => findTool(argv[0] ?? "", host.folders) !== undefined).map(
      ({ file, argv }) => gather(file, () => said(argv)),
    ),
  ]);
  const secrets = await secretsOf(paths.stateDir);
  return {
    files: files.flat().map(({ path, text }) => ({ path, text: redact(text, secrets) })),
    missing: missing.map(({ path, why }) => ({ path, why: redact(why, secrets) })),
  };
}

async function said(argv: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await systemCommand.run(argv, { timeoutMs: COMMAND_MS });
  const text = stdout.length > MAX_BYTES ? `…\n${stdout.slice(-MAX_BYTES)}` : stdout;
  return status === 0 ? text : `${text}${stderr}\n(exit status ${status})\n`;
}

async function stateFiles(folder: string): Promise<{ name: string; path: string }[]> {
  const names = (await namesIn(folder)).filter(
    (name) => name.endsWith(".json") && name !== IDENTITY_FILE,
  );
  return names.map((name) => ({ name, path: join(folder, name) }));
}

/** Empty where there is no such folder: the host was never launched. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "EACCES")) return [];
    throw error;
  }
}

async function listing(folder: string): Promise<string> {
  const lines: string[] = [];
  for (const name of await namesIn(folder)) {
    const { mode, size, mtime } = await stat(join(folder, name));
    lines.push(
      `${(mode & 0o7777).toString(8).padStart(4, "0")} ${size} ${mtime.toISOString()} ${name}\n`,
    );
  }
  return lines.join("");
}

/** The last MAX_BYTES of a file. */
async function endOf(path: string): Promise<string> {
  const file: FileHandle = await open(path, "r");
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.min(size, MAX_BYTES));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, Math.max(0, size - MAX_BYTES));
    const text = bytes.toString("utf8", 0, bytesRead);
    return size > MAX_BYTES ? `…\n${text}` : text;
  } finally {
    await file.close();
  }
}

/**
 * All that this node must keep secret, in every spelling; none for a host that was never launched or whose file only root may read. Of a file that is
 * damaged, which is when a report is wanted most, all words that could be a key.
 */
async function secretsOf(stateDir: string): Promise<string[]> {
  let identity: Identity | undefined;
  try {
    identity = await loadIdentity(stateDir);
  } catch (error) {
    if (isErrno(error, "EACCES")) return [];
    if (!isHansaError(error, "STATE_DAMAGED")) throw error;
    return (await endOf(join(stateDir, IDENTITY_FILE))).match(KEY_WORD) ?? [];
  }
  if (identity === undefined) return [];
  const { nodeKey, wireguard, roots, token } = identity;
  const { gossipKeys } = identityKeys(identity);
  const keys = [nodeKey, wireguard].map(({ privateKey }) => Buffer.from(privateKey, "base64"));
  const text = token === undefined ? [] : [Buffer.from(token)];
  return [...roots.map(({ root }) => root), ...gossipKeys, ...keys, ...text].flatMap(spellings);
}
