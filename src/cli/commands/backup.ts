/** `hansa backup` and `hansa restore`: all of the store in one file, and back. */
import { open, rm } from "node:fs/promises";
import { HansaError, isErrno } from "../../errors.ts";
import { atomicWrite, readIfExists } from "../../host/files.ts";
import { hansaPaths } from "../../processes/paths.ts";
import { decodeStoreCopy } from "../../store/store-copy.ts";
import { shortAge } from "../../values/short-age.ts";
import type { Command, Context } from "../command.ts";
import { confirmed, YES_OPTION } from "../confirm.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { withProgress } from "../output/progress.ts";
import { requireRoot } from "../require-root.ts";
import { refoundedText } from "./expected.ts";

export const backup: Command = {
  name: "backup",
  summary: "write all of the store into a file",
  details: `The file holds the whole configuration as a majority has it, for root alone (0600); - writes it to standard output. Without a majority it holds what the node
last saw of the store, and how old that is is said.`,
  operands: { name: "FILE|-", min: 1, max: 1, completes: "files" },
  options: [],
  asksNode: true,
  examples: ["backup prod.hansa", "backup - | ssh safe 'cat > prod.hansa'"],
  async run(words, context) {
    const [path = ""] = words.operands;
    const { bytes, source, takenAtMs } = await fetched(context);
    if (path === "-") await context.console.write("stdout", bytes);
    else {
      await writeNew(path, bytes);
      context.note(`${contentOf(bytes, path)} in ${path}`);
    }
    const age = shortAge((context.nowMs() - takenAtMs) / 1000);
    if (source !== "majority") {
      context.note(
        source === "mirror"
          ? `Warning: no majority answers: this is what the node last saw of the store, ${age} ago`
          : "Warning: no majority answers: this is what one vote has",
      );
    }
    return 0;
  },
};

export const restore: Command = {
  name: "restore",
  summary: "make the store anew from a backup",
  details: `Done to this host, which then has the only vote, in the store's next generation; the others take theirs by themselves, and put what they had into a file first. Refused
without --force while votes are missing, which may go on without this node, and for a file of another cluster's store: of that only what hansa config wrote is taken.`,
  onThisHost: true,
  operands: { name: "FILE", min: 1, max: 1, completes: "files" },
  options: [
    {
      name: "force",
      summary:
        "also while votes are missing that may go on elsewhere, and the content of another cluster's backup",
    },
    YES_OPTION,
    OUTPUT_OPTION,
  ],
  examples: ["restore prod.hansa"],
  async run(words, context) {
    requireRoot(context, "restore");
    const format = formatOf(words);
    const [path = ""] = words.operands;
    const bytes = await readIfExists(path);
    if (bytes === undefined) {
      throw new HansaError("USAGE", `there is no file ${path}`, { hint: WRITTEN_BY_BACKUP });
    }
    const content = contentOf(bytes, path);
    const question = `What the store has now is put into a file, and replaced by ${content}. Go on?`;
    if (!(await confirmed(words.flags, question))) return 1;
    // Where only root can write: the daemon takes a file from nobody else.
    const handed = `${hansaPaths().stateDir}/restore.hansa`;
    await atomicWrite(handed, bytes, 0o600);
    const made = await withProgress(context.note, "making the store anew", () =>
      context.local.restore(words.flags.has("force")),
    ).finally(() => rm(handed, { force: true }));
    context.out(format === "table" ? refoundedText(made) : await documentText(made, format));
    return 0;
  },
};

const WRITTEN_BY_BACKUP = "name a file that hansa backup wrote";

/** "prod, revision 8, 7 entries". Throws USAGE for what is no backup. */
function contentOf(bytes: Uint8Array, path: string): string {
  const decoded = decodeStoreCopy(bytes);
  if (!decoded.ok) {
    throw new HansaError("USAGE", `${path} ${decoded.reason}`, { hint: WRITTEN_BY_BACKUP });
  }
  const { store, revision, entries } = decoded.copy;
  return `${store.name}, revision ${revision}, ${entries.length} entries`;
}

async function fetched({ client }: Context) {
  const parts: Buffer[] = [];
  let sum: string | null = null;
  let offset = 0;
  for (;;) {
    const part = await client.copyPart({ source: "best", sum, offset });
    const data = Buffer.from(part.data, "base64");
    parts.push(data);
    offset += data.length;
    sum = part.sum;
    if (offset >= part.length || data.length === 0) return { ...part, bytes: Buffer.concat(parts) };
  }
}

/** Never over a file that is there. */
async function writeNew(path: string, bytes: Buffer): Promise<void> {
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isErrno(error, "EEXIST")) {
      throw new HansaError("USAGE", `${path} is there already`, { hint: "name another file" });
    }
    if (isErrno(error, "ENOENT") || isErrno(error, "EACCES") || isErrno(error, "ENOSPC")) {
      throw new HansaError("STATE_UNWRITABLE", `${path} cannot be written`);
    }
    throw error;
  }
}
