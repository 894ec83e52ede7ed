/** `hansa launch`: checks what was typed, then hands over to processes/launch. */
import { HansaError } from "../../errors.ts";
import { parseCidr } from "../../values/cidr.ts";
import { isDnsName } from "../../values/dns-name.ts";
import { parseTarget } from "../../values/endpoint.ts";
import { MAX_NODE_ID, parseNodeId } from "../../values/node-id.ts";
import type { NodeLink } from "../../values/node-link.ts";
import type { Command, Context, Words } from "../command.ts";
import { LINK_OPTIONS, linksOf } from "../link-options.ts";
import { withProgress } from "../output/progress.ts";
import { type GivenPorts, PORT_OPTIONS, portsOf } from "../port-options.ts";
import { readToken } from "../read-token.ts";
import { requireRoot } from "../require-root.ts";

/** Of all commands that make a node. */

export const launch: Command = {
  name: "launch",
  summary: "make this host a node of the cluster, and start it",
  details: `HOST[:PORT] are nodes to connect to. They need not run yet, nor exist, and may include this host itself.
Launching again with the same id and token changes nothing, but adds the hosts given.
--no-encryption is decided once, for the whole cluster: nodes launched with and without it give each other nothing.
A token on the command line is visible to other users of the host for a moment: prefer --token-file.`,
  operands: { name: "HOST", min: 0, max: 1024 },
  onThisHost: true,
  options: [
    {
      name: "id",
      value: "N",
      summary: `number of this node, 1-${MAX_NODE_ID}, unique in the cluster`,
    },
    { name: "token", value: "TOKEN", summary: "secret of the cluster, the same on all its nodes" },
    {
      name: "token-file",
      value: "FILE",
      summary: "file that holds the token; - is standard input",
      completes: "files",
    },
    { name: "cluster", value: "NAME", summary: "name of the cluster, default hansa" },
    { name: "subnet", value: "CIDR", summary: "addresses for containers, default 10.32.0.0/12" },
    { name: "name", value: "NODE", summary: "name of this node, default the host's name" },
    {
      name: "domain",
      value: "DOMAIN",
      summary: "the one DNS name that its API's certificate is good for, default the node's name",
    },
    ...LINK_OPTIONS,
    {
      name: "no-encryption",
      summary:
        "containers' traffic crosses the network between hosts in clear; for all nodes alike",
    },
    ...PORT_OPTIONS,
  ],
  examples: [
    "launch --id 1 --token-file /root/token host1 host2 host3 host4",
    "launch --id 5 --token-file - --name edge --link0 192.0.2.5 host1",
    "launch --id 1 --token-file /root/token --no-encryption host2",
  ],
  async run(words, context) {
    const request = launchRequest(words);
    requireRoot(context, "launch");
    const token = await tokenOf(words, context);
    const { launch: launchNode } = await import("../../processes/launch.ts");
    const { already, node } = await withProgress(context.note, "launching", ({ step }) =>
      launchNode({
        ...request,
        token,
        onProgress: step,
        addTargets: async (targets) => {
          await context.local.connect(targets, false);
        },
      }),
    );
    if (already) {
      const where = `into the cluster ${node.cluster}`;
      context.note(`the node was launched before, ${where}: it keeps its state and stays in it`);
    } else await warnOfWeakToken(token, context);
    if (node.encryption === "none") warnOfNoEncryption(context);
    context.out(`[${request.id}] Node launched\n`);
    return 0;
  },
};

export interface LaunchRequest {
  readonly id: number;
  readonly cluster: string | undefined;
  readonly subnet: string | undefined;
  readonly name: string | undefined;
  readonly domain: string | undefined;
  readonly links: readonly NodeLink[] | undefined;
  readonly ports: GivenPorts;
  readonly encryption: "none" | undefined;
  readonly targets: readonly string[];
}

/** Everything but the token, checked. Pure. Throws USAGE naming the parameter. */
export function launchRequest(words: Words): LaunchRequest {
  const { values, flags, operands } = words;
  const idText = values.get("id");
  if (idText === undefined) missing("id");
  if (!values.has("token") && !values.has("token-file")) missing("token");
  if (values.has("token") && values.has("token-file")) {
    throw new HansaError("USAGE", "give either --token or --token-file, not both", {
      hint: "see hansa launch --help",
    });
  }
  const id = parseNodeId(idText);
  if (id === undefined) bad("id", `number [1-${MAX_NODE_ID}]`, idText);
  const subnet = values.get("subnet");
  if (subnet !== undefined && parseCidr(subnet) === undefined) {
    bad("subnet", "an IPv4 block such as 10.32.0.0/12", subnet);
  }
  const domain = values.get("domain");
  if (domain !== undefined && !isDnsName(domain)) bad("domain", "a DNS name", domain);
  for (const target of operands) {
    if (parseTarget(target) === undefined) bad("HOST", "HOST[:PORT]", target);
  }
  return {
    id,
    subnet,
    cluster: values.get("cluster"),
    name: values.get("name"),
    domain,
    links: linksOf(words, "launch"),
    encryption: flags.has("no-encryption") ? "none" : undefined,
    ports: portsOf(values, "launch"),
    targets: operands,
  };
}

async function tokenOf({ values }: Words, context: Context): Promise<string> {
  const given = values.get("token");
  const file = given === "-" ? "-" : values.get("token-file");
  return file === undefined ? given || missing("token") : await readToken(file, context);
}

async function warnOfWeakToken(token: string, context: Context): Promise<void> {
  const { tokenStrength } = await import("../../identity/token-strength.ts");
  const { weak, time } = tokenStrength(token);
  if (!weak) return;
  context.note(`Warning: the token is weak: one core guesses it in about ${time}`);
  context.note("Hint: use at least 22 random characters: openssl rand -base64 24");
}

function warnOfNoEncryption(context: Context): void {
  context.note(
    "Warning: UNENCRYPTED: who can read or forge packets between the hosts can read and forge containers' traffic",
  );
  context.note(
    "Hint: use it only in a network that you trust; to encrypt, start all nodes over without --no-encryption",
  );
}

function missing(parameter: string): never {
  throw new HansaError("USAGE", `missing required parameter: ${parameter}`, {
    hint: "see hansa launch --help",
  });
}

function bad(what: string, required: string, received: string): never {
  const shown = JSON.stringify(received.slice(0, 100)).slice(1, -1);
  const text = `invalid argument: ${what}, required: ${required}, received: ${shown}`;
  throw new HansaError("USAGE", text, { hint: "see hansa launch --help" });
}
