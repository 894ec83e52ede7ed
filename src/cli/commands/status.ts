/** `hansa status`: what the node knows, whole or in sections. */
import type { QuorumView } from "../../api/quorum-schemas.ts";
import type { Status } from "../../api/status-schema.ts";
import { HansaError } from "../../errors.ts";
import type { Command, Context, Words } from "../command.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { coloured, plain } from "../output/paint.ts";
import { withProgress } from "../output/progress.ts";
import { quorumText } from "../output/quorum-text.ts";
import {
  connectionsText,
  dnsText,
  hasSeveralLinks,
  ipamText,
  linksText,
  nodeText,
  peersText,
  targetsText,
  type View,
} from "../output/status-text.ts";
import { usage } from "../parse-words.ts";
import type { WatchView } from "../watch-documents.ts";

interface Section {
  readonly flag: "targets" | "peers" | "connections" | "links" | "dns" | "ipam";
  readonly title: string;
  readonly summary: string;
  readonly text: (status: Status, view: View) => string;
  /** False where the whole status is as well without it. */
  readonly isWorth?: (status: Status) => boolean;
}

/** In the order in which they are printed. */
const SECTIONS: readonly Section[] = [
  { flag: "targets", title: "Targets", summary: "hosts that this node dials", text: targetsText },
  { flag: "peers", title: "Peers", summary: "nodes, each with its connections", text: peersText },
  {
    flag: "connections",
    title: "Connections",
    summary: "this node's connections and attempts",
    text: connectionsText,
  },
  {
    flag: "links",
    title: "Links",
    summary: "the addresses of this node and each peer, and which are used",
    text: linksText,
    isWorth: hasSeveralLinks,
  },
  { flag: "dns", title: "DNS", summary: "names of nodes and containers", text: dnsText },
  { flag: "ipam", title: "IPAM", summary: "who owns how many addresses", text: ipamText },
];

export const status: Command = {
  name: "status",
  summary: "show targets, peers, connections, names and addresses",
  details: `Without a section everything is shown. Data goes to standard output, headings to standard error.
--quorum asks the votes of the cluster's store and exits with 2 when
they have no majority; called as pvecm, status is that. With json or yaml and sections the document has only these. --watch redraws a terminal; elsewhere it prints a
document more for each change, in json one on each line. Ctrl-C ends it; a daemon that restarts is waited for.`,
  options: [
    ...SECTIONS.map(({ flag, summary }) => ({ name: flag, summary })),
    { name: "quorum", summary: "whose votes count, as pvecm status shows it" },
    { name: "watch", summary: "go on showing it, anew within a second of each change" },
    { name: "interval", value: "S", summary: "with --watch: at most once in so many seconds" },
    OUTPUT_OPTION,
  ],
  asksNode: true,
  examples: [
    "status",
    "status --connections",
    "status --links",
    "status --node host2",
    "status --quorum",
    "status -o json",
    "status --watch",
    "status --watch -o json",
  ],
  async run(words, context) {
    const format = formatOf(words);
    const asked = SECTIONS.filter(({ flag }) => words.flags.has(flag));
    const intervalMs = intervalOf(words);
    const isQuorumAlone = context.program === "pvecm" && asked.length === 0;
    const isQuorumAsked = words.flags.has("quorum");
    if (words.flags.has("watch")) {
      if (isQuorumAsked) throw usage(status, "--quorum does not go with --watch");
      const { watchDocuments } = await import("../watch-documents.ts");
      const view: WatchView<Status> = {
        open: (signal, resume) => context.client.watchStatus(signal, resume),
        text: (found) => screenText(found, asked, context),
        document: (found) => documentOf(found, asked),
        print: (found) => printStatus(found, asked, context),
      };
      return watchDocuments(context, format, intervalMs, view);
    }
    const isQuorum = isQuorumAsked || isQuorumAlone;
    const quorum = isQuorum ? await context.client.quorum() : undefined;
    if (quorum !== undefined && asked.length === 0)
      return await showQuorum(quorum, format, context);
    const found = await withProgress(context.note, "waiting for the daemon", () =>
      context.client.status(),
    );
    if (format === "table") printStatus(found, asked, context);
    else {
      const whole = documentOf(found, asked);
      const document = quorum === undefined ? whole : { ...(whole as object), quorum };
      context.out(await documentText(document, format));
    }
    if (quorum === undefined) return 0;
    if (format === "table") context.out(`\n${quorumText(quorum)}\n`);
    return exitOf(quorum);
  },
};

async function showQuorum(
  view: QuorumView,
  format: ReturnType<typeof formatOf>,
  context: Context,
): Promise<number> {
  if (format === "table") context.out(`${quorumText(view)}\n`);
  else context.out(await documentText(view, format));
  return exitOf(view);
}

/** 2: not quorate; only where the quorum was printed. */
function exitOf({ quorate }: QuorumView): number {
  return quorate ? 0 : 2;
}

function intervalOf({ values, flags }: Words): number {
  const given = values.get("interval");
  if (given === undefined) return 0;
  const hint = "see hansa status --help";
  if (!flags.has("watch")) throw new HansaError("USAGE", "--interval needs --watch", { hint });
  if (/^\d{1,5}(\.\d{1,3})?$/.test(given)) return Number(given) * 1000;
  const text = `invalid argument: interval, required: seconds, received: ${given}`;
  throw new HansaError("USAGE", text, { hint });
}

function documentOf(found: Status, asked: readonly Section[]): unknown {
  return asked.length === 0
    ? found
    : Object.fromEntries(asked.map(({ flag }) => [flag, found[flag]]));
}

/** The sections asked for, all without any, each with its heading; then the warnings. */
function* partsOf(
  found: Status,
  asked: readonly Section[],
  context: Context,
): Generator<{ readonly notes: readonly string[]; readonly text: string }> {
  const view = { paint: context.colour ? coloured : plain, nowMs: context.nowMs() };
  const part = (title: string, text: string) => ({ notes: [`${title} status:`], text });
  // Called by the name of the predecessor that documents a status we print what it shows, and nothing before it.
  if (asked.length === 0 && context.program !== "overnode") yield part("Node", nodeText(found));
  // What a predecessor documents has no links.
  const worthy = SECTIONS.filter(
    ({ isWorth }) => isWorth === undefined || (isWorth(found) && context.program !== "overnode"),
  );
  for (const { title, text } of asked.length > 0 ? asked : worthy) {
    yield part(title, text(found, view));
  }
  for (const { message, hint } of found.warnings) {
    yield { notes: [`Warning: ${message}`, ...(hint === "" ? [] : [`Hint: ${hint}`])], text: "" };
  }
}

function printStatus(found: Status, asked: readonly Section[], context: Context): void {
  for (const { notes, text } of partsOf(found, asked, context)) {
    for (const line of notes) context.note(line);
    if (text !== "") context.out(`${text}\n`);
  }
}

/** The same for a terminal that is redrawn whole. */
function screenText(found: Status, asked: readonly Section[], context: Context): string {
  return [...partsOf(found, asked, context)]
    .flatMap(({ notes, text }) => [
      ...notes.map((line) => `[${context.program}] ${line}`),
      ...(text === "" ? [] : [text]),
    ])
    .join("\n");
}
