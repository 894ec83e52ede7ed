import assert from "node:assert/strict";
import { test } from "node:test";
import { exampleContainers } from "../../api/example-answers.ts";
import { exampleQuorum } from "../../api/fake-cluster.ts";
import type { StoreView } from "../../api/store-schemas.ts";
import { type HansaError, isHansaError } from "../../errors.ts";
import { memberOf, rosterWith } from "../status/status-facts.ts";
import { findRemovable, type RemoveNodeParts, removeNode } from "./remove-node.ts";

const roster = rosterWith(memberOf({ id: 2 }), memberOf({ id: 3 }));
const gone = {
  ...{ id: 7, name: "host7", keyFingerprint: "77777777", wireguardKey: "" },
  endpoint: { ip: "192.0.2.7", port: 6784 },
};

const vote = (id: number, state: StoreView["voters"][number]["state"]) => ({
  ...{ id, name: `host${id}`, address: "10.32.0.1:9212", hasVote: true, state, isLocal: false },
  problem: null,
});

function parts(changed: Partial<RemoveNodeParts> = {}): RemoveNodeParts & { taken: string[] } {
  const taken: string[] = [];
  return {
    ...{ taken, self: 1 },
    membership: { roster: () => roster, remembered: [gone], departures: [] },
    peers: {} as RemoveNodeParts["peers"],
    registered: () => [],
    quorum: async () => exampleQuorum(),
    store: async () => ({ voters: [vote(1, "leads"), vote(2, "follows"), vote(3, "follows")] }),
    containers: async () => ({ nodes: [], containers: [] }),
    takeOver: async (node, confirmed) => {
      taken.push(`${node} ${confirmed}`);
      return { id: Number(node), name: "host7", addresses: 9, fixedAddresses: 0 };
    },
    ...changed,
  };
}

const refused = (code: HansaError["code"], text: RegExp) => (error: unknown) => {
  assert.ok(isHansaError(error, code), `${error}`);
  assert.match(error.message, text);
  return true;
};

test("a node is found by name, id and address; oneself and strangers are refused in the known sentences", () => {
  for (const wanted of ["host7", "7", "192.0.2.7"]) {
    assert.equal(findRemovable(wanted, 1, roster, [gone]).id, 7, wanted);
  }
  assert.equal(findRemovable("host3", 1, roster, [gone]).isHeard, true);
  const find = (wanted: string) => () => findRemovable(wanted, 1, roster, [gone]);
  assert.throws(find("1"), refused("USAGE", /^Cannot delete myself from cluster!$/));
  assert.throws(
    find("host9"),
    refused("NODE_NOT_FOUND", /^Node\/IP: host9 is not a known host of the cluster\.$/),
  );
  const twice = () => findRemovable("host7", 1, roster, [gone, { ...gone, id: 8 }]);
  assert.throws(twice, refused("USAGE", /nodes 7, 8 are all called host7/));
});

test("a node that is gone is taken over, only where a majority answers", async () => {
  const quorate = parts();
  assert.deepEqual(await removeNode(quorate, "host7", true), {
    ...{ id: 7, name: "host7", wasHeard: false, addresses: 9, problem: null },
  });
  assert.deepEqual(quorate.taken, ["7 true"]);
  const cutOff = parts({ quorum: async () => ({ ...exampleQuorum(), quorate: false }) });
  await assert.rejects(removeNode(cutOff, "host7", true), refused("STORE_NO_QUORUM", /are needed/));
  assert.deepEqual(cutOff.taken, []);
});

test("a node of which only the store's registry is left is taken over as any that is gone", async () => {
  const left = { id: 9, name: "host9", keyFingerprint: "99999999" };
  // Of one that is remembered too the memory counts, and who has the id now is nobody's leftover.
  const also = [
    { ...gone, name: "former7" },
    { id: 3, name: "former3", keyFingerprint: "3" },
  ];
  const forgotten = parts({ registered: () => [left, ...also] });
  assert.deepEqual((await removeNode(forgotten, "host9", true)).id, 9);
  assert.deepEqual(forgotten.taken, ["9 true"]);
  for (const unknown of ["former7", "former3"]) {
    await assert.rejects(removeNode(forgotten, unknown, true), refused("NODE_NOT_FOUND", /former/));
  }
  assert.equal((await removeNode(forgotten, "9", true)).name, "host9");
});

test("a node that is heard and runs containers on the network is refused, naming them", async () => {
  const { containers } = exampleContainers();
  const [row] = containers;
  assert.ok(row);
  const busy = { ...row, node: { id: 3, name: "host3" } };
  const asked = parts({ containers: async () => ({ nodes: [], containers: [busy] }) });
  await assert.rejects(
    removeNode(asked, "host3", true),
    refused("NETWORK_IN_USE", /node 3 \(host3\) runs containers on the network hansa: shop-web-1/),
  );
});

test("a node is not told to leave where the store would end, or have no majority, without its vote", async () => {
  const only = parts({ store: async () => ({ voters: [vote(3, "leads")] }) });
  await assert.rejects(
    removeNode(only, "host3", true),
    refused("STORE_LAST_VOTE", /node 3 has the store's only vote/),
  );
  const one = parts({
    store: async () => ({ voters: [vote(1, "leads"), vote(2, "away"), vote(3, "follows")] }),
  });
  await assert.rejects(
    removeNode(one, "host3", true),
    refused("STORE_REFUSED", /without node 3, 1 of 2 votes answer and 2 would be needed/),
  );
});
