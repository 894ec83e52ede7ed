/** `hansa report`: state, logs and network of all nodes in one archive without secrets, to be sent to who helps. */
import { rm, writeFile } from "node:fs/promises";
import type { HostReport } from "../../api/report-schema.ts";
import { HansaError, isErrno, isHansaError } from "../../errors.ts";
import type { Command, Context } from "../command.ts";
import { withProgress } from "../output/progress.ts";

/** Nodes that are asked at one time. */
const AT_ONCE = 8;
/** Nodes that left, and what only looks like a node, are not asked. */
const ASKED: readonly string[] = ["alive", "suspect", "dead"];

interface Reported {
  readonly name: string;
  readonly report: HostReport;
  /** Why there is none of it. */
  readonly error?: HansaError;
}

export const report: Command = {
  name: "report",
  summary: "write an archive of all nodes' state and logs, without secrets",
  details: `Asks every node for its status, what its doctor finds, its logs, and what its programs say of network and Docker, and writes it to FILE
(default hansa-report-TIME.tar.gz), readable by you only. Keys, tokens and what looks like one are taken out on each node before it leaves it. Names,
addresses and images stay: look through it before you publish it. A node that cannot be asked is named in it. By a context it takes one of an admin. Where no node runs, it tells of this host alone.`,
  operands: { name: "FILE", min: 0, max: 1, completes: "files" },
  options: [],
  asksNode: true,
  examples: ["report", "report /tmp/cluster.tar.gz", "report --node host2"],
  async run({ operands: [wanted] }, context) {
    const wallMs = context.nowMs();
    const stamp = new Date(wallMs).toISOString().replace(/[-:]|\.\d+/g, "");
    const path = wanted ?? `hansa-report-${stamp}.tar.gz`;
    const reported = await withProgress(context.note, "asking the nodes", (progress) =>
      gather(context, (text) => progress.step(text)),
    );
    const without = reported.filter(({ report: { files } }) => files.length === 0);
    // What would hold nothing is not written.
    const [refused] = without;
    if (without.length === reported.length && refused?.error) throw refused.error;
    await write(path, reported, stamp, wallMs);
    for (const {
      name,
      report: { missing },
    } of without) {
      context.note(`${name} is not in it: ${missing[0]?.why ?? "it told nothing"}`);
    }
    context.out(`${path}\n`);
    return without.length === reported.length ? 1 : 0;
  },
};

/** Of every node, of the one that is named, or of this host where no daemon answers. */
async function gather(context: Context, tell: (text: string) => void): Promise<Reported[]> {
  const { client, node } = context;
  if (node !== undefined) return [{ name: node, report: await client.report() }];
  let peers: Awaited<ReturnType<typeof client.status>>["peers"];
  try {
    ({ peers } = await client.status());
  } catch (error) {
    if (!isHansaError(error, "NODE_NOT_RUNNING")) throw error;
    tell("no node runs here: looking at this host alone");
    return [{ name: "this-host", report: await context.reportHost() }];
  }
  const waiting = peers.filter(({ state }) => ASKED.includes(state));
  const count = waiting.length;
  const reported: Reported[] = [];
  const ask = async (): Promise<void> => {
    for (let peer = waiting.shift(); peer !== undefined; peer = waiting.shift()) {
      const name = `${peer.id}-${peer.name}`;
      reported.push({ name, ...(await reportOf(client, peer.id, name)) });
      tell(`${reported.length} of ${count} nodes have answered`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, ask));
  return reported.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A node that cannot be asked is part of what is to be told. */
async function reportOf(
  client: Context["client"],
  id: number,
  name: string,
): Promise<Omit<Reported, "name">> {
  try {
    return { report: await client.of(`${id}`).report() };
  } catch (error) {
    if (!(error instanceof HansaError)) throw error;
    return { report: { files: [], missing: [{ path: name, why: error.message }] }, error };
  }
}

async function write(
  path: string,
  reported: readonly Reported[],
  stamp: string,
  wallMs: number,
): Promise<void> {
  const [{ gzipSync }, { tarArchive }] = await Promise.all([
    import("node:zlib"),
    import("../../report/tar-archive.ts"),
  ]);
  const folder = `hansa-report-${stamp}`;
  const files = reported.flatMap(({ name, report: { files: own, missing } }) => [
    ...own.map((file) => ({ path: `${folder}/${name}/${file.path}`, text: file.text })),
    ...(missing.length === 0
      ? []
      : [
          {
            path: `${folder}/${name}/missing.txt`,
            text: missing.map(({ path: what, why }) => `${what}: ${why}\n`).join(""),
          },
        ]),
  ]);
  try {
    await writeFile(path, gzipSync(tarArchive(files, wallMs)), { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (isErrno(error, "EEXIST")) {
      throw new HansaError("USAGE", `${path} is there already`, { hint: "name another file" });
    }
    // Half of one, on a full disk, would be in the way of the next.
    if (isErrno(error, "ENOSPC") || isErrno(error, "EDQUOT")) await rm(path, { force: true });
    throw new HansaError(
      "USAGE",
      `${path} cannot be written: ${error instanceof Error ? error.message : error}`,
      {
        hint: "name a file in a folder that you may write to and that has room",
        cause: error,
      },
    );
  }
}
