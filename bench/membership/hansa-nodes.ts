/**
 * Our side of the bench: any number of nodes in one process, each with src/gossip's own sockets, driven by lines of JSON.
 *
 * See node-protocol.ts. Ends when stdin does.
 */
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { Gossip } from "../../src/gossip/gossip.ts";
import type { GossipDelegate, MemberEvent } from "../../src/gossip/gossip-delegate.ts";
import {
  GOSSIP_PORT,
  KEY,
  metaOf,
  nodeIp,
  nodeName,
  type Order,
  type Saying,
} from "./node-protocol.ts";
import { replay } from "./replay.ts";

/** What one node sees; `live` counts itself. */
class View implements GossipDelegate {
  live = 1;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  memberEvent({ kind, member, previous }: MemberEvent): void {
    if (kind === "joined") this.live += 1;
    if (kind === "alive-again" && previous === "dead") this.live += 1;
    if (kind === "left" && previous !== "dead") this.live -= 1;
    if (kind === "dead" && previous !== "dead") {
      this.live -= 1;
      say({ op: "dead", node: member.name, by: this.#name });
    }
    checkFull();
  }

  localState(): Uint8Array {
    return new Uint8Array();
  }

  mergeRemoteState(): void {}
  userMessage(): void {}
  persistIncarnation(): void {}
  synced(): void {}
  rejected(): void {}
}

const nodes = new Map<number, Gossip>();
const views = new Map<number, View>();
let expected: number | undefined;

function say(saying: Saying): void {
  process.stdout.write(`${JSON.stringify(saying)}\n`);
}

function checkFull(): void {
  if (expected === undefined) return;
  for (const { live } of views.values()) if (live !== expected) return;
  expected = undefined;
  say({ op: "full" });
}

async function start(number: number): Promise<void> {
  const view = new View(nodeName(number));
  const at = { ip: nodeIp(number), port: GOSSIP_PORT };
  const gossip = await Gossip.start({
    name: nodeName(number),
    bind: at,
    advertise: at,
    keys: [KEY],
    label: "",
    meta: metaOf(number),
    incarnation: 0,
    delegate: view,
  });
  nodes.set(number, gossip);
  views.set(number, view);
}

/** Joins until it worked; returns how often it failed. */
async function join(gossip: Gossip, seed: number): Promise<number> {
  for (let failures = 0; ; failures += 1) {
    const result = await gossip.join({ ip: nodeIp(seed), port: GOSSIP_PORT });
    if (result.ok) return failures;
    await setTimeout(1000);
  }
}

async function carryOut(order: Order): Promise<void> {
  switch (order.op) {
    case "start":
      for (let index = 0; index < order.count; index += 1) await start(order.first + index);
      say({ op: "started" });
      return;
    case "join": {
      const joining = [...nodes].filter(([number]) => number !== order.seed);
      const failures = await Promise.all(
        joining.map(async ([number, gossip]) => {
          if (order.spacingMs > 0) await setTimeout(number * order.spacingMs);
          return await join(gossip, order.seed);
        }),
      );
      say({ op: "joined", failures: failures.reduce((sum, count) => sum + count, 0) });
      return;
    }
    case "expect":
      expected = order.alive;
      checkFull();
      return;
    case "kill":
      await nodes.get(order.node)?.close();
      nodes.delete(order.node);
      views.delete(order.node);
      say({ op: "killed" });
      return;
    case "replay":
      say({ op: "replayed", ...replay(order.file, order.updates) });
      return;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  // Not awaited: an order may take as long as the next one's answer.
  void carryOut(JSON.parse(line) as Order);
}
process.exit(0);
