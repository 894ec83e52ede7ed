import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberView } from "../../membership/machine.ts";
import type { Endpoint } from "../../values/endpoint.ts";
import { memberOf, rosterWith } from "../status/status-facts.ts";
import { decodeEnvelope } from "./envelope.ts";
import { Post } from "./post.ts";
import { heardTwins } from "./roster.ts";

/** Node 1 among `ids`, of which 3 is silent, and the endpoints that were sent to; node 4 is reached through its tunnel only, and node 5 by packets. */
function stage(ids: readonly number[], twins: readonly MemberView[] = []) {
  const members = ids.map((id) => memberOf({ id, ...(id === 3 ? { state: "dead" } : {}) }));
  const roster = rosterWith(...members, ...twins);
  const { peers } = roster;
  const tunnel: Endpoint = { ip: "10.32.0.4", port: 6783 };
  const packets: [Endpoint, string][] = [];
  const joined: Endpoint[] = [];
  const post = new Post({
    gossip: {
      sendStream: async () => undefined,
      sendPacket: (to, payload) => {
        packets.push([to, Buffer.from(decodeEnvelope(payload)?.body ?? []).toString()]);
        return payload.length;
      },
      broadcast: () => undefined,
      routed: (to) => to,
      join: async (to) => {
        joined.push(to);
        return { ok: true, members: [] };
      },
    },
    self: 1,
    fingerprint: "00c0ffee",
    peers: () => peers,
    twins: () => heardTwins(roster),
    roundabout: (id, by) => (id === 4 || (id === 5 && by === "packet") ? tunnel : undefined),
  });
  const endpointOf = (id: number, by = "stream") =>
    id === 4 || (id === 5 && by === "packet")
      ? tunnel
      : peers.find(({ metadata }) => metadata.id === id)?.member.endpoint;
  return { post, peers, packets, joined, endpointOf };
}

test("what is told to each comes to every node that is heard, however many there are", () => {
  const ids = Array.from({ length: 49 }, (_, index) => index + 2);
  const { post, packets, endpointOf } = stage(ids);
  post.sendToEach("stray", Buffer.from("note"));
  assert.deepEqual(
    packets,
    ids.filter((id) => id !== 3).map((id) => [endpointOf(id, "packet"), "note"]),
  );
});

test("what is told to each comes to twins that are heard: of a silent node, of one behind a tunnel, of us", () => {
  const twin = (id: number, binding: number, ip: string, state: MemberView["state"] = "alive") => {
    const member = memberOf({ id, key: `${ip.length}`.padStart(8, "f"), binding, state });
    return { ...member, endpoint: { ip, port: 6783 } };
  };
  const twins = [
    twin(1, 0, "192.168.48.201"),
    twin(3, 1, "192.168.48.203"),
    twin(4, 1, "192.168.48.204"),
    twin(5, 1, "192.168.48.205", "dead"),
  ];
  const { post, packets } = stage([3, 4, 5], twins);
  post.sendToEach("stray", Buffer.from("note"));
  const told = packets.map(([{ ip }]) => ip);
  assert.deepEqual(told.sort(), [
    "10.32.0.4",
    "10.32.0.4",
    "192.168.48.201",
    "192.168.48.203",
    "192.168.48.204",
  ]);
});

test("states are exchanged through the tunnel with a node whose host is not reached", async () => {
  const { post, peers, joined, endpointOf } = stage([2, 4, 5]);
  assert.deepEqual(await post.exchange(peers), []);
  assert.deepEqual(joined, [endpointOf(2), endpointOf(4), endpointOf(5)]);
});
