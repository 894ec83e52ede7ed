/** `hansa add`: this host becomes a node of the cluster of another one. */
import { hostname } from "node:os";
import { HansaError } from "../../errors.ts";
import type { Joiner, JoinRequest } from "../../joining/join-host.ts";
import { decodeJoinWord } from "../../joining/join-word.ts";
import { DEFAULT_API_PORT } from "../../values/api-port.ts";
import { parseTarget } from "../../values/endpoint.ts";
import { MAX_NODE_ID, parseNodeId } from "../../values/node-id.ts";
import { askSecret } from "../ask-secret.ts";
import { askYes } from "../ask-yes.ts";
import type { Command, Context, Words } from "../command.ts";
import { LINK_OPTIONS, linksOf } from "../link-options.ts";
import { usage } from "../parse-words.ts";
import { PORT_OPTIONS, portsOf } from "../port-options.ts";
import { readToken } from "../read-token.ts";
import { requireRoot } from "../require-root.ts";

export const add: Command = {
  name: "add",
  summary: "make this host a node of the cluster that HOST belongs to",
  details: `Run it on the new host. HOST[:PORT] is any node of the cluster, reached at its API's port; what hansa join-info prints there stands for HOST and
--fingerprint. The cluster's token is asked for, or read from a file or from
standard input; it never leaves this host. First everything is checked: name, id, version, clock (5 s at most), links, what is on this host already, and every port
on every link in both directions from two members. All that is wrong is told at once, and nothing is changed. --force goes on in spite of what can be overridden; a node that this host
is already is copied to a file and reset before.`,
  operands: { name: "HOST", min: 1, max: 1 },
  onThisHost: true,
  options: [
    ...LINK_OPTIONS,
    {
      name: "fingerprint",
      value: "SHA256",
      summary: "of HOST's certificate, as join-info shows it; else it is shown and asked for",
    },
    { name: "nodeid", value: "N", summary: "number of this node, default the lowest free one" },
    {
      name: "votes",
      value: "0|1",
      summary: "in the store; default 1 for nodes 1 to 4, else 0",
    },
    { name: "force", summary: "go on in spite of what can be overridden" },
    {
      name: "token-file",
      value: "FILE",
      summary: "file that holds the cluster's token; - is standard input",
      completes: "files",
    },
    ...PORT_OPTIONS,
  ],
  examples: [
    "add 192.0.2.1",
    "add 192.0.2.1 --link0 192.0.2.2 --link1 198.51.100.2",
    "add host1 --fingerprint AB:CD:… --token-file /root/token",
  ],
  async run(words, context) {
    const request = joinRequest(words);
    requireRoot(context, "add");
    const { joinHost } = await import("../../joining/join-host.ts");
    const { thisHost } = await import("../../processes/this-host.ts");
    const node = await joinHost(request, joinerOf(words, context), thisHost());
    context.out(`successfully added node '${node.name}' to cluster.\n`);
    return 0;
  },
};

/** Throws USAGE naming the parameter. */
export function joinRequest(words: Words): JoinRequest {
  const { values, flags } = words;
  const [operand = ""] = words.operands;
  const word = decodeJoinWord(operand);
  const target = word?.peer ?? parseTarget(operand);
  if (target === undefined) bad("HOST", "HOST[:PORT], or what join-info prints", operand);
  const idText = values.get("nodeid");
  const id = idText === undefined ? undefined : parseNodeId(idText);
  if (idText !== undefined && id === undefined) bad("nodeid", `number [1-${MAX_NODE_ID}]`, idText);
  const fingerprint = values.get("fingerprint") ?? word?.fingerprint;
  if (fingerprint !== undefined && !/^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$/.test(fingerprint)) {
    bad("fingerprint", "32 bytes in hex, as join-info shows them", fingerprint);
  }
  const votes = values.get("votes");
  if (votes !== undefined && votes !== "0" && votes !== "1") {
    const text = `a node has 1 vote or none, not ${votes.slice(0, 20)}: votes have no weights here`;
    throw usage(add, text);
  }
  return {
    peer: { host: target.host, port: target.port || DEFAULT_API_PORT },
    hostName: hostname(),
    ...{ id, fingerprint, links: linksOf(words, "add"), ports: portsOf(values, "add") },
    votes: votes === undefined ? undefined : votes === "1" ? 1 : 0,
    force: flags.has("force"),
  };
}

function joinerOf({ values }: Words, context: Context): Joiner {
  const isProxmox = context.program === "pvecm";
  const file = values.get("token-file");
  return {
    local: context.local,
    nowMs: () => context.nowMs() + testOffsetMs(),
    say: (text) => context.out(`${text}\n`),
    warn: (text) => context.note(text),
    trusts: async ({ fingerprint }) => {
      context.note(`X509 SHA256 key fingerprint is ${fingerprint}`);
      // Where nobody can be asked the token decides: the certificate must be signed with what is derived from it.
      return (
        (await askYes("Are you sure you want to continue connecting?", "--fingerprint SHA256")) ??
        true
      );
    },
    token: async ({ host }) => {
      if (file !== undefined) return await readToken(file, context);
      const question = isProxmox
        ? `Please enter superuser (root) password for '${host}': `
        : `Token of the cluster that ${host} belongs to: `;
      if (!context.console.isTerminal("stdin")) return await readToken("-", context);
      const token = await askSecret(question, context);
      if (token) return token;
      throw new HansaError("USAGE", "there is no token", {
        hint: "hansa token show prints it on a node, where Hansa made it",
      });
    },
  };
}

/** Tests have clocks that differ without changing the machine's. */
function testOffsetMs(): number {
  return Number(process.env["HANSA_TEST_CLOCK_OFFSET_MS"] ?? 0) || 0;
}

function bad(what: string, required: string, received: string): never {
  const shown = JSON.stringify(received.slice(0, 100)).slice(1, -1);
  throw usage(add, `invalid argument: ${what}, required: ${required}, received: ${shown}`);
}
