/** `hansa start`: a node for a plain user, in a cluster of its own or, with -j, in that of a context. */
import { isIP } from "node:net";
import { HansaError } from "../../errors.ts";
import type { StartRequest } from "../../starter/start-request.ts";
import type { StartedNode } from "../../starter/starter-client.ts";
import { isDnsName } from "../../values/dns-name.ts";
import type { Command, Context, OptionSpec, Words } from "../command.ts";
import { admitterOf, peerPlace } from "../join-by-context.ts";
import { LINK_OPTIONS, linksOf } from "../link-options.ts";
import { alignColumns } from "../output/align-columns.ts";
import { withProgress } from "../output/progress.ts";
import { usage } from "../parse-words.ts";
import { PORT_OPTIONS, portsOf } from "../port-options.ts";

/** How long a node that joined is waited for to be heard by another. */
const CONNECTED_MS = 20_000;

const NO_IMAGE = "a node runs from the installed executable, not from an image";
const BY_CONTEXT = "a node joins by a context: agent import, then start -j";

/** Of simplecontainer's own start. */
const FOREIGN: readonly OptionSpec[] = [
  ["c", "client-args", "ports are given by --api-port, --gossip-port and --overlay-port"],
  ["i", "image", NO_IMAGE],
  ["t", "tag", NO_IMAGE],
  ["s", "systemd", "a node starts with its host anyway"],
  ["T", "token", BY_CONTEXT],
  ["A", "automation", BY_CONTEXT],
].map(([short = "", name = "", refused = ""]) => ({ name, short, summary: "", refused }));

export const start: Command = {
  name: "start",
  summary: "make this host a node as a plain user, in a cluster of its own or in that of a context",
  details: `For members of the group hansa, on a host where root ran hansa install once; root has launch. Without -j it makes a new cluster
under a token of its own making (hansa token show). With -j the node behind -p, or one of the context in use, takes this host into its
cluster: the context must be an administrator's. The API's certificate is then good for the domain, localhost and the host's addresses.
On a host that is a node already it starts that node again.`,
  options: [
    {
      name: "name",
      short: "n",
      value: "NODE",
      summary: "name of this node, unique in the cluster, default simplecontainer-node",
    },
    {
      name: "domain",
      short: "d",
      value: "DOMAIN",
      summary: "the one DNS name that its certificate is good for, default localhost",
    },
    { name: "address", short: "a", value: "IP", summary: "one more address in the certificate" },
    { name: "join", short: "j", summary: "join the cluster of the context in use" },
    {
      name: "peer",
      short: "p",
      value: "URL",
      summary: "with -j: the node to ask, such as https://node-1.example:1443",
    },
    { name: "cluster", value: "NAME", summary: "without -j: name of the cluster, default hansa" },
    {
      name: "subnet",
      value: "CIDR",
      summary: "without -j: addresses for containers, default 10.32.0.0/12",
    },
    ...LINK_OPTIONS,
    ...PORT_OPTIONS,
    ...FOREIGN,
  ],
  examples: [
    "start -n node-1 -d node-1.example.org",
    "start -n node-2 -d node-2.example.org -j -p https://node-1.example.org:1443",
  ],
  async run(words, context) {
    const request = startRequest(words);
    const peer = peerOf(words.values.get("peer"));
    if (context.isRoot) {
      throw new HansaError(
        "ROOT_REFUSED",
        `This command cannot be run as root. Run ${context.program} start as a member of the group hansa`,
      );
    }
    const admit = request.join ? await admitterOf(context, peer) : neverAsked;
    const { askToStart } = await import("../../starter/starter-client.ts");
    const { hansaPaths } = await import("../../processes/paths.ts");
    const node = await withProgress(context.note, "starting", async ({ step }) => {
      const { starterSocket } = hansaPaths();
      const started = await askToStart(starterSocket, request, { admit, progress: step });
      if (request.join && !started.already) {
        step("waiting for the cluster");
        await connected(context);
      }
      return started;
    });
    if (node.already) context.note("the node was started before: it keeps its state");
    for (const note of node.notes) context.note(`Warning: ${note}`);
    context.out(await nodeInformation(node, context));
    return 0;
  },
};

/** What the words ask for, checked as far as that goes without the host. Throws USAGE. */
export function startRequest(words: Words): StartRequest {
  const { values, flags } = words;
  const join = flags.has("join");
  if (!join && values.has("peer")) throw usage(start, "-p needs -j");
  for (const name of ["cluster", "subnet"]) {
    if (join && values.has(name)) throw usage(start, `--${name} is the cluster's own, not for -j`);
  }
  const domain = values.get("domain");
  if (domain !== undefined && !isDnsName(domain)) bad("domain", "a DNS name", domain);
  const address = values.get("address");
  if (address !== undefined && isIP(address) === 0) bad("address", "an IP address", address);
  const ports = portsOf(values, "start");
  const wished = {
    name: values.get("name"),
    domain,
    addresses: address === undefined ? undefined : [address],
    cluster: values.get("cluster"),
    subnet: values.get("subnet"),
    links: linksOf(words, "start"),
    ports: Object.keys(ports).length > 0 ? ports : undefined,
  };
  const given = Object.entries(wished).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(given), join };
}

/** HOST:PORT of -p; undefined when it is left out. Throws USAGE. */
function peerOf(url: string | undefined): string | undefined {
  const place = url === undefined ? undefined : peerPlace(url);
  if (url !== undefined && place === undefined) bad("peer", "https://HOST:PORT", url);
  return place;
}

async function neverAsked(): Promise<never> {
  throw new HansaError("USAGE", "this start joins no cluster");
}

/** Waits until another node is heard; a note when none is in time, because the node goes on trying. */
async function connected(context: Context): Promise<void> {
  const withinMs = AbortSignal.timeout(CONNECTED_MS);
  for await (const { node, peers, warnings } of context.local.watchStatus(withinMs)) {
    const isHeard = peers.some(({ id, state }) => id !== node.id && state === "alive");
    if (!isHeard) continue;
    const twin = warnings.find(({ code }) => code === "NODE_TWIN");
    if (twin) throw new HansaError("NODE_TWIN", twin.message, { hint: twin.hint });
    return;
  }
  context.note("no other node of the cluster answers yet; this one goes on trying");
  context.note("Hint: 6783/tcp, 6783/udp and 6784/udp have to be open between the hosts");
}

async function nodeInformation(node: StartedNode, context: Context): Promise<string> {
  const { address } = (await context.local.status()).node;
  const { id, name, cluster, domain = name, apiPort } = node;
  const rows = [
    ["Name", name],
    ["Id", `${id}`],
    ["Cluster", cluster],
    ["Domain", domain],
    ["Control plane", `https://${domain}:${apiPort}`],
    ["Address", address ?? "none yet"],
  ];
  const table = alignColumns(rows.map(([title = "", text = ""]) => [`  ${title}:`, text]));
  return `Node Information\n${table}\n`;
}

function bad(what: string, required: string, received: string): never {
  const shown = JSON.stringify(received.slice(0, 100)).slice(1, -1);
  throw usage(start, `invalid argument: ${what}, required: ${required}, received: ${shown}`);
}
