/** `hansa qdevice`: the witness, on the nodes that it votes with and on its own box. */
import { setTimeout as delay } from "node:timers/promises";
import type { StoreView } from "../../api/store-schemas.ts";
import { HansaError, isHansaError } from "../../errors.ts";
import { DEFAULT_WITNESS_PORTS, type WitnessPorts } from "../../witness/witness-file.ts";
import { askSecret } from "../ask-secret.ts";
import type { Command, Context, Words } from "../command.ts";
import { withProgress } from "../output/progress.ts";
import { votesText } from "../output/store-text.ts";
import { usage } from "../parse-words.ts";
import { readToken } from "../read-token.ts";
import { requireRoot } from "../require-root.ts";

const WAIT_MS = 60_000;
const LOOK_MS = 200;

export const qdevice: Command = {
  name: "qdevice",
  summary: "set up a witness: a third vote for two nodes, on a box without Docker",
  details: `serve, on the box: has it wait for its nodes, and shows the code by which it is taken in. The box needs this program and etcd, one open TCP port, and neither Docker nor the
cluster's token. setup HOST, on a node: takes the box in; the code is asked on the terminal, or read from a file or standard input. All that is wrong is told at once, and then nothing
is changed. While the votes of the nodes are odd the witness has none. remove, on a node: takes the witness away, and has the box put its data away. end, on the box: the same
when no node does it.`,
  operands: {
    name: "setup HOST | remove | serve | end",
    min: 1,
    max: 2,
    completes: ["setup", "remove", "serve", "end"],
  },
  options: [
    {
      name: "code-file",
      value: "FILE",
      summary: "the code that the box shows; - is standard input",
    },
    { name: "force", summary: "setup also with odd votes, remove also without a majority" },
    { name: "port", value: "PORT", summary: "TCP port of the box (default 5403)" },
    { name: "raft-port", value: "PORT", summary: "serve: etcd's on loopback (default 9213)" },
    {
      name: "store-port",
      value: "PORT",
      summary: "serve: its clients' on loopback (default 2379)",
    },
    {
      name: "network",
      value: "CIDR",
      summary: "network of the box",
      refused: "name the box by its address in that network",
    },
  ],
  asksNode: true,
  examples: ["qdevice serve", "qdevice setup 192.168.15.99", "qdevice remove"],
  async run(words, context) {
    const [verb, host, ...more] = words.operands;
    const isFit = verb === "setup" ? host !== undefined : host === undefined;
    if (!isFit || more.length > 0) {
      throw usage(qdevice, "expected setup HOST, remove, serve or end");
    }
    if (verb === "setup") return await setup(host ?? "", words, context);
    if (verb === "remove") return await remove(words, context);
    if (verb === "serve") return await serve(words, context);
    if (verb === "end") return await end(context);
    throw usage(qdevice, "expected setup HOST, remove, serve or end");
  },
};

async function setup(host: string, words: Words, context: Context): Promise<number> {
  const { client, note } = context;
  const before = await client.store();
  if (before.witness) {
    throw new HansaError("WITNESS_EXISTS", "QDevice already configured!", {
      hint: `it is ${before.witness.host}; take it away first: hansa qdevice remove`,
    });
  }
  const force = words.flags.has("force");
  const request = {
    ...{ host, port: portOf(words, "port", DEFAULT_WITNESS_PORTS.witness), force },
    code: await codeFor(host, words, context),
  };
  const asked = await withProgress(note, "asking the witness", () => client.setupWitness(request));
  const seen = await withProgress(note, "giving the witness its vote", () =>
    voting(asked, context),
  );
  if (seen.witness?.hasVote !== true) {
    note("Note: the witness has no vote yet: hansa store shows how far it is");
  }
  context.out(`witness ${host} was set up\nVotes: ${votesText(seen)}\n`);
  return 0;
}

/** Once it has its vote, or cannot have one now. */
async function voting(asked: StoreView, { client, nowMs }: Context): Promise<StoreView> {
  const endMs = nowMs() + WAIT_MS;
  let seen = asked;
  while (seen.witness?.hasVote !== true && nowMs() < endMs) {
    const ofNodes = seen.voters.filter(({ id, hasVote }) => id !== 0 && hasVote).length;
    const isThere = seen.voters.some(({ id }) => id === 0);
    if (ofNodes % 2 === 1 && !isThere && seen.quorate) return seen;
    await delay(LOOK_MS);
    try {
      seen = await client.store();
    } catch (error) {
      if (!isHansaError(error)) throw error;
    }
  }
  return seen;
}

async function remove({ flags }: Words, context: Context): Promise<number> {
  const { client } = context;
  const { host, wasTold } = await withProgress(context.note, "removing the witness", () =>
    client.removeWitness(flags.has("force")),
  );
  if (!wasTold) {
    context.note(`Note: ${host} was not reached and keeps what it has`);
    context.note(`Hint: run hansa qdevice end on ${host}`);
  }
  context.out("Removed Qdevice.\n");
  return 0;
}

async function codeFor(host: string, { values }: Words, context: Context): Promise<string> {
  const file = values.get("code-file");
  if (file !== undefined) return await readToken(file, context, "code");
  if (!context.console.isTerminal("stdin")) return await readToken("-", context, "code");
  const code = await askSecret(`Code that hansa qdevice serve shows on ${host}: `, context);
  if (code) return code;
  throw new HansaError("USAGE", "there is no code", {
    hint: `run hansa qdevice serve on ${host}: it shows the code`,
  });
}

async function serve(words: Words, context: Context): Promise<number> {
  requireRoot(context, "qdevice serve");
  const box = await import("../../witness/witness-process.ts");
  const ports = boxPorts(words);
  const { file, isNew } = await withProgress(context.note, "starting the witness", () =>
    box.serveWitness(ports),
  );
  if (file.claim) {
    context.out(`this host is the witness of the cluster ${file.claim.cluster}\n`);
    return 0;
  }
  const port =
    file.ports.witness === DEFAULT_WITNESS_PORTS.witness ? "" : ` --port ${file.ports.witness}`;
  context.out(`code: ${file.code}\n`);
  if (isNew) context.note(`the witness waits on port ${file.ports.witness}/tcp`);
  context.note(`Hint: on a node: hansa qdevice setup ADDRESS-OF-THIS-HOST${port}`);
  return 0;
}

async function end(context: Context): Promise<number> {
  requireRoot(context, "qdevice end");
  const { endWitness } = await import("../../witness/witness-process.ts");
  const { backup, cluster } = await endWitness();
  if (backup) context.note(`Note: what it had of the store lies in ${backup}`);
  if (cluster !== undefined) {
    context.note(
      `Note: the nodes of the cluster ${cluster} go on counting its vote until it is removed there`,
    );
    context.note("Hint: run hansa qdevice remove on one of them");
  }
  context.out("this host is no witness any more\n");
  return 0;
}

function boxPorts(words: Words): WitnessPorts {
  const usual = DEFAULT_WITNESS_PORTS;
  const raft = portOf(words, "raft-port", usual.raft);
  return {
    ...{ witness: portOf(words, "port", usual.witness), raft, proxy: raft + 1 },
    store: portOf(words, "store-port", usual.store),
  };
}

function portOf({ values }: Words, name: string, usual: number): number {
  const text = values.get(name);
  if (text === undefined) return usual;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port > 0 && port < 65_535) return port;
  throw usage(qdevice, `invalid argument: ${name}, required: port [1-65534], received: ${text}`);
}
