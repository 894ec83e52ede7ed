import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeLink } from "../../values/node-link.ts";
import { LinkLoop } from "./link-loop.ts";
import type { RosterNode } from "./roster.ts";

const links = (...addresses: readonly string[]): NodeLink[] =>
  addresses.map((address, number) => ({ number, address, priority: 1 }));

function node(id: number, state: "alive" | "dead", own: readonly NodeLink[]): RosterNode {
  const endpoint = { ip: own[0]?.address ?? "", port: 6783 };
  return { member: { state, endpoint }, metadata: { id, links: own } } as unknown as RosterNode;
}

const OWN = links("10.0.0.1", "10.1.0.1");
const TWO = links("10.0.0.7", "10.1.0.7");

function routes(...peers: readonly RosterNode[]): [string, string][] {
  const loop = new LinkLoop({
    send: () => undefined,
    moved: () => undefined,
    followed: () => undefined,
  });
  try {
    loop.setPeers(OWN, peers, () => 1);
    return [...loop.routes()];
  } finally {
    loop.close();
  }
}

test("what goes to a node's first address goes to the one of the link that is used", () => {
  assert.deepEqual(routes(node(7, "alive", TWO)), [["10.0.0.7", "10.1.0.7"]]);
});

test("the links of a dead node lead nobody astray who has its address now", () => {
  assert.deepEqual(routes(node(7, "dead", TWO), node(8, "alive", links("10.0.0.7"))), []);
});
