/**
 * Records real packets and streams of memberlist into src/membership/wire/corpus, each with what the reference's own libraries
 * read in it: `node test/interop/capture.ts`, then `biome check --write src/membership/wire/corpus`.
 *
 * Of each kind, wrapping and set of message types the first one is kept. Nonces, ports and order differ from run to run.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { eventually } from "../../src/gossip/recording-delegate.ts";
import { bytesToIp } from "../../src/values/ip-bytes.ts";
import { closed } from "../closed.ts";
import { TIMING } from "./mixed-cluster.ts";
import {
  type Explained,
  Reference,
  type ReferenceNode,
  type ReferenceSettings,
} from "./reference.ts";

const CORPUS = join(import.meta.dirname, "../../src/membership/wire/corpus");
const MAX_BYTES = 3_000;
const KEY = Buffer.from(Array.from({ length: 32 }, (_, index) => index));

interface Setting {
  readonly name: string;
  readonly settings: Partial<ReferenceSettings>;
  /** Whether the whole life of a cluster is played, or only its beginning. */
  readonly whole: boolean;
}

const SETTINGS: readonly Setting[] = [
  { name: "clear", settings: { protocol: 2 }, whole: true },
  { name: "clear-compressed", settings: { protocol: 5, compression: true }, whole: true },
  { name: "sealed", settings: { key: KEY, protocol: 2 }, whole: true },
  {
    name: "sealed-compressed",
    settings: { key: KEY, protocol: 5, compression: true },
    whole: true,
  },
  // Its members have no ports of their own: all listen on one.
  { name: "protocol-1", settings: { key: KEY, protocol: 1, port: 17946 }, whole: false },
  { name: "protocol-3", settings: { key: KEY, protocol: 3 }, whole: false },
  { name: "protocol-4", settings: { key: KEY, protocol: 4 }, whole: false },
  { name: "key-of-16", settings: { key: KEY.subarray(0, 16) }, whole: false },
  { name: "key-of-24", settings: { key: KEY.subarray(0, 24) }, whole: false },
];

interface Capture {
  readonly name: string;
  readonly kind: "packet" | "stream";
  readonly wrapping: readonly string[];
  readonly bytes: string;
  readonly messages: readonly unknown[];
}

/** Explains what nodes sent and keeps one of each shape. */
class Collection {
  readonly captures = new Map<string, Capture>();
  readonly #types = new Set<string>();
  readonly #reference: Reference;
  readonly #key: Uint8Array | undefined;
  readonly #read = new Map<ReferenceNode, number>();

  constructor(reference: Reference, key: Uint8Array | undefined) {
    this.#reference = reference;
    this.#key = key;
  }

  /** Resolves when one of `nodes` has sent all of `types`, such as "packet ping" or "stream pushPull". */
  async until(nodes: readonly ReferenceNode[], ...types: readonly string[]): Promise<void> {
    await eventually(types.join(", "), async () => {
      for (const node of nodes) await this.#readOn(node);
      return types.every((type) => this.#types.has(type));
    });
  }

  async #readOn(node: ReferenceNode): Promise<void> {
    for (;;) {
      const at = this.#read.get(node) ?? 0;
      const sent = node.sent[at];
      if (sent === undefined) return;
      this.#read.set(node, at + 1);
      const kind = sent.kind === "packet" ? "packet" : "stream";
      const explained = await this.#reference.explain(sent, this.#key);
      const messages = explained.map((each) => messageOf(each));
      const types = [...new Set(messages.map(({ type }) => type))].sort();
      for (const type of types) this.#types.add(`${kind} ${type}`);
      const wrapping = explained[0]?.wrapping ?? [];
      const shape = [kind, ...types, ...wrapping].join(" ");
      if (this.captures.has(shape) || sent.bytes.length > MAX_BYTES) continue;
      const name = `${kind} of ${types.join(", ")}`;
      this.captures.set(shape, {
        name,
        kind,
        wrapping,
        bytes: sent.bytes.toString("hex"),
        messages,
      });
    }
  }
}

async function capture({ settings, whole }: Setting): Promise<readonly Capture[]> {
  await using reference = await Reference.start();
  const start = (name: string, index: number) =>
    reference.node({
      name,
      bind: `127.0.44.${index}`,
      state: Buffer.from(`user state of ${name}, ${"0123456789".repeat(5)}`),
      meta: `metadata of ${name}, ${"metadata ".repeat(8)}`,
      timing: TIMING,
      record: true,
      ...settings,
    });
  const [a, b, c] = [await start("a", 1), await start("b", 2), await start("c", 3)];
  const nodes = [a, b, c];
  const collection = new Collection(reference, settings.key);
  await b.join(a.at);
  await c.join(a.at);
  await a.sendPacket("b", Buffer.from(`a packet for b ${"and nobody else ".repeat(6)}`));
  await a.sendStream("b", Buffer.from(`a stream for b ${"and nobody else ".repeat(6)}`));
  await collection.until(nodes, "packet ping", "packet ack", "packet alive", "packet user");
  await collection.until(nodes, "stream pushPull", "stream user");
  if (!whole) return [...collection.captures.values()];
  await a.announce("other metadata");
  await a.broadcast(Buffer.from("a broadcast"));
  await provokeError(a);
  await a.cut({ packets: [b.address] });
  await collection.until(nodes, "stream error", "stream ping", "stream ack", "packet indirectPing");
  await a.cut({});
  await c.kill();
  await collection.until(nodes, "packet nack", "packet suspect", "packet dead");
  await b.leave();
  await collection.until(nodes);
  return [...collection.captures.values()];
}

/** An encrypted frame that no key opens, or that nobody expects. */
async function provokeError(node: ReferenceNode): Promise<void> {
  const socket = connect(node.at.port, node.at.ip);
  socket.end(Buffer.concat([Buffer.from("0a00000028", "hex"), Buffer.alloc(40, 1)]));
  await closed(socket);
}

const TYPES = [
  "ping",
  "indirectPing",
  "ack",
  "suspect",
  "alive",
  "dead",
  "pushPull",
  "compound",
  "user",
  "compress",
  "encrypt",
  "nack",
  "hasCrc",
  "error",
];
const STATES = ["alive", "suspect", "dead", "left"];

/** The message as src/membership/message.ts has it, with bytes in hex. */
function messageOf({ type, fields, members = [], payload = "" }: Explained) {
  const said = fields ?? {};
  const name = TYPES[type] ?? String(type);
  const [seq, node] = [said["SeqNo"], said["Node"]];
  const source = said["SourceAddr"]
    ? { source: endpoint(said["SourceAddr"], said["SourcePort"]), sourceNode: said["SourceNode"] }
    : {};
  switch (name) {
    case "ping":
      return { type: name, seq, node, ...source };
    case "indirectPing": {
      const target = endpoint(said["Target"], said["Port"]);
      return { type: name, seq, target, node, nack: said["Nack"], ...source };
    }
    case "ack":
      return { type: name, seq, payload: hex(said["Payload"]) };
    case "nack":
      return { type: name, seq };
    case "suspect":
    case "dead":
      return { type: name, incarnation: said["Incarnation"], node, from: said["From"] };
    case "alive":
      return {
        type: name,
        incarnation: said["Incarnation"],
        node,
        endpoint: endpoint(said["Addr"], said["Port"]),
        meta: hex(said["Meta"]),
        versions: [...Buffer.from(hex(said["Vsn"]), "hex")],
      };
    case "user":
      return { type: name, payload: hex(payload) };
    case "error":
      return { type: name, text: said["Error"] };
    case "pushPull": {
      const state = { join: said["Join"], members: members.map(memberOf), userState: hex(payload) };
      return { type: name, state };
    }
    default:
      throw new Error(`a message of type ${name}`);
  }
}

function memberOf(said: Readonly<Record<string, unknown>>) {
  return {
    name: said["Name"],
    endpoint: endpoint(said["Addr"], said["Port"]),
    meta: hex(said["Meta"]),
    incarnation: said["Incarnation"],
    state: STATES[Number(said["State"])],
    versions: [...Buffer.from(hex(said["Vsn"]), "hex")],
  };
}

function endpoint(address: unknown, port: unknown) {
  return { ip: bytesToIp(Buffer.from(hex(address), "hex")), port };
}

function hex(base64: unknown): string {
  return typeof base64 === "string" ? Buffer.from(base64, "base64").toString("hex") : "";
}

mkdirSync(CORPUS, { recursive: true });
for (const setting of SETTINGS) {
  const captures = await capture(setting);
  const key = Buffer.from(setting.settings.key ?? []).toString("hex");
  const path = join(CORPUS, `${setting.name}.json`);
  writeFileSync(path, `${JSON.stringify({ key, captures }, null, 2)}\n`);
  process.stderr.write(`${setting.name}: ${captures.length} captures\n`);
}
