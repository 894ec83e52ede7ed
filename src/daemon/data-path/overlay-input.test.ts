import assert from "node:assert/strict";
import { test } from "node:test";
import { addressPlan, nodeAddress } from "../../ipam/address-plan.ts";
import { type OverlayFacts, overlayInput } from "./overlay-input.ts";

const plan = addressPlan("10.32.0.0/12");

const FACTS: OverlayFacts = {
  node: {
    id: 1,
    subnet: "10.32.0.0/12",
    encryption: "wireguard",
    ports: { gossip: 6783, overlay: 6784, api: 1443 },
  },
  plan,
  docker: { version: "29.0.0", firewallBackend: "iptables" },
  underlay: "192.168.48.11",
  linkMtu: 1500,
  hasSeveralLinks: false,
  linksOf: () => [],
  segments: {
    fixed: [{ start: 1, end: 2, owner: 1 }],
    dynamic: [{ start: 5, end: 9, owner: 2 }],
  },
  remembered: [2, 3].map((id) => ({
    id,
    name: `host${id}`,
    keyFingerprint: `0000000${id}`,
    wireguardKey: `key${id}`,
    endpoint: { ip: `192.168.48.1${id}`, port: 6784 },
  })),
  hasYielded: false,
  softwareChecksums: false,
  isLost: (peer) => peer === 3,
  relay: (peer) => (peer === 3 ? { port: 4000, askerKey: "asker" } : undefined),
};

test("every remembered node is a peer, with its own way, and both rings are told", () => {
  const { peers, segments, backend } = overlayInput(FACTS);
  assert.deepEqual(
    peers.map(({ id, address, isLost, relay }) => ({ id, address, isLost, relay: relay?.port })),
    [
      { id: 2, address: nodeAddress(plan, 2), isLost: false, relay: undefined },
      { id: 3, address: nodeAddress(plan, 3), isLost: true, relay: 4000 },
    ],
  );
  assert.deepEqual(
    segments.map(({ start }) => start),
    [1, 5],
  );
  assert.equal(backend, "wireguard");
});

test("a host whose key another one keeps has no tunnels", () => {
  assert.deepEqual(overlayInput({ ...FACTS, hasYielded: true }).peers, []);
});

test("a peer with several addresses has its tunnel at the one in use, and may send from the others", () => {
  const remembered = FACTS.remembered.map((node) =>
    node.id === 2 ? { ...node, link: 1, linkAddress: "192.168.49.12" } : node,
  );
  const linksOf = (id: number) => (id === 2 ? ["192.168.48.12", "192.168.49.12"] : []);
  const { peers, self } = overlayInput({ ...FACTS, remembered, linksOf, hasSeveralLinks: true });
  assert.equal(self.hasSeveralLinks, true);
  assert.deepEqual(
    peers.map(({ endpoint, otherAddresses }) => [endpoint?.ip, otherAddresses]),
    [
      ["192.168.49.12", ["192.168.48.12"]],
      ["192.168.48.13", undefined],
    ],
  );
});
