/** `hansa create`: the store of a cluster's configuration, and where the host is no node yet, the cluster itself. */
import { hostname } from "node:os";
import { HansaError } from "../../errors.ts";
import { MAX_NODE_ID, parseNodeId } from "../../values/node-id.ts";
import type { Command, Context, Words } from "../command.ts";
import { LINK_OPTIONS, linksOf } from "../link-options.ts";
import { formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { withProgress } from "../output/progress.ts";
import { usage } from "../parse-words.ts";
import { PORT_OPTIONS, portsOf } from "../port-options.ts";
import { requireRoot } from "../require-root.ts";
import { showStore } from "./store.ts";

export const create: Command = {
  name: "create",
  summary: "make a cluster on a host that is no node yet, or the store of a cluster that has none",
  details: `On a host that is no node it makes one, the first of the new cluster NAME under a token of its own making (hansa token show), and then the store
of the cluster's configuration. On a node of a cluster it makes the store: an etcd of its own on the nodes with the ids 1 to 4, of which any one makes it and
the others take their votes in it by themselves. NAME has 1 to 15 letters, digits and hyphens, and stays. A second store is refused. More hosts come by hansa add.`,
  operands: { name: "NAME", min: 1, max: 1 },
  options: [
    ...LINK_OPTIONS,
    { name: "nodeid", value: "N", summary: "number of the new node, 1-4, default 1" },
    { name: "votes", value: "1", summary: "of the new node: who makes the store has 1 vote" },
    ...PORT_OPTIONS,
    OUTPUT_OPTION,
  ],
  asksNode: true,
  examples: [
    "create prod",
    "create prod --link0 192.0.2.1 --link1 198.51.100.1,priority=5",
    "create prod --node host2 -o json",
  ],
  async run(words, context) {
    const format = formatOf(words);
    const [name = ""] = words.operands;
    const request = requestOf(words);
    if (await makesNode(context)) {
      requireRoot(context, "create");
      await makeNode(name, request, context);
    } else if (OWN.some((option) => words.values.has(option))) await refuseOwn(context);
    const made = await withProgress(context.note, "making the store", () =>
      context.client.createStore(name),
    );
    await showStore(made, format, context);
    return 0;
  },
};

/** Options of a node that is made; of one that is there they were decided. */
const OWN = [...LINK_OPTIONS, ...PORT_OPTIONS, { name: "nodeid" }].map(({ name }) => name);

type Request = Pick<import("../../joining/create-here.ts").CreateRequest, "id" | "links" | "ports">;

/** Throws USAGE. */
function requestOf(words: Words): Request {
  const { values } = words;
  const votes = values.get("votes") ?? "1";
  if (votes !== "1") {
    const text =
      votes === "0"
        ? "who makes the store has a vote in it: --votes 0 is for add"
        : `a node has 1 vote or none, not ${votes.slice(0, 20)}: votes have no weights here`;
    throw usage(create, text);
  }
  const idText = values.get("nodeid") ?? "1";
  const id = parseNodeId(idText);
  if (id === undefined) {
    throw usage(
      create,
      `invalid argument: nodeid, required: number [1-${MAX_NODE_ID}], received: ${idText.slice(0, 20)}`,
    );
  }
  if (id > 4)
    throw usage(create, `node ${id} has no vote by itself: the store is made on node 1, 2, 3 or 4`);
  return { id, links: linksOf(words, "create"), ports: portsOf(values, "create") };
}

/** True where nothing but this host can be meant, and it is no node. */
async function makesNode(context: Context): Promise<boolean> {
  if (context.node !== undefined || context.contextName !== undefined) return false;
  const { hansaPaths } = await import("../../processes/paths.ts");
  const { loadNodeFile } = await import("../../processes/node-file.ts");
  if (process.env["HANSA_SOCKET"] || (await loadNodeFile(hansaPaths().nodeFile))) return false;
  const { ContextStore } = await import("../../contexts/context-store.ts");
  return new ContextStore().active() === undefined;
}

async function makeNode(cluster: string, request: Request, context: Context): Promise<void> {
  const { createHere } = await import("../../joining/create-here.ts");
  const { thisHost } = await import("../../processes/this-host.ts");
  const node = await withProgress(context.note, "making the first node", ({ step }) =>
    createHere({ ...request, cluster }, hostname(), thisHost(), step),
  );
  context.note(`node ${node.id} (${node.name}) is the first of the cluster ${cluster}`);
  context.note(
    `Hint: on the next host run ${context.program} add ${node.name}; it asks for the token that hansa token show prints here`,
  );
}

/** Throws STORE_EXISTS where there is one, else USAGE: a node that is there keeps what it was launched with. */
async function refuseOwn(context: Context): Promise<never> {
  const found = await context.client.store().catch((error: unknown) => {
    if (error instanceof HansaError && error.code === "STORE_NONE") return undefined;
    throw error;
  });
  if (found) throw new HansaError("STORE_EXISTS", `the store ${found.name} exists already`);
  throw usage(
    create,
    "this host is a node already, whose id, links and ports stay: create NAME makes the store",
  );
}
