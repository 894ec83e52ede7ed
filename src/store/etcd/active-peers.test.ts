import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { activePeers } from "./active-peers.ts";

test("of the members those count that are connected now", () => {
  const text = [
    "# TYPE etcd_network_active_peers gauge",
    'etcd_network_active_peers{Local="8e9e05c52164694d",Remote="91bc3c398fb3c146"} 1',
    'etcd_network_active_peers{Local="8e9e05c52164694d",Remote="fd422379fda50e48"} 0',
    'etcd_network_peer_sent_bytes_total{To="fd422379fda50e48"} 1',
  ].join("\n");
  assert.deepEqual(activePeers(text), new Set([0x91bc3c398fb3c146n]));
});

test("what is no such text has none", () => {
  fc.assert(
    fc.property(fc.string(), (garbage) => assert.equal(activePeers(garbage).size, 0)),
    { numRuns: 200 },
  );
});
