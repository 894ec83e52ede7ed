import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MemoryStore } from "./memory-store.ts";
import {
  CONFIG_VERSION_KEY,
  decodeNode,
  firstCommit,
  NODES_PREFIX,
  nextRegistryStep,
  registeredNodes,
  registryCommit,
  type SeenNode,
  versionIn,
} from "./node-registry.ts";

function seen(id: number, key = "aaaaaaaa", extra: Partial<SeenNode> = {}): SeenNode {
  return { id, name: `host${id}`, member: `${id}-${key}`, isHeard: true, isSteady: true, ...extra };
}

async function settle(store: MemoryStore, nodes: readonly SeenNode[], gone: readonly string[]) {
  for (;;) {
    const { entries } = await store.list(NODES_PREFIX);
    const step = nextRegistryStep(registeredNodes(entries), nodes, new Set(gone));
    const { entry } = await store.get(CONFIG_VERSION_KEY);
    if (step === undefined) {
      return { version: versionIn(entry), ids: [...registeredNodes(entries).keys()].sort() };
    }
    await store.commit(registryCommit(step, entry));
  }
}

test("each node that joins or is removed counts once, votes or not", async () => {
  const store = new MemoryStore();
  await store.commit(firstCommit("prod", seen(1)));
  assert.deepEqual(await settle(store, [seen(1)], []), { version: 1, ids: [1] });
  const all = [1, 2, 3, 9].map((id) => seen(id));
  assert.deepEqual(await settle(store, all, []), { version: 4, ids: [1, 2, 3, 9] });
  const left = all.slice(0, 3);
  assert.deepEqual(await settle(store, left, ["9-aaaaaaaa"]), { version: 5, ids: [1, 2, 3] });
  store.close();
});

test("two who write the same at one time count it once: the other's commit finds something else", async () => {
  const store = new MemoryStore();
  await store.commit(firstCommit("prod", seen(1)));
  const { entry } = await store.get(CONFIG_VERSION_KEY);
  const steps = [2, 3].map((id) => nextRegistryStep(new Map(), [seen(id)], new Set()));
  const outcomes = [];
  for (const step of [steps[0], steps[0], steps[1]]) {
    assert.ok(step);
    outcomes.push((await store.commit(registryCommit(step, entry))).ok);
  }
  assert.deepEqual(outcomes, [true, false, false]);
  assert.equal(versionIn((await store.get(CONFIG_VERSION_KEY)).entry), 2);
  store.close();
});

test("a node that is not heard stays; another host with its id takes its place once that is certain", () => {
  const entry = { id: 2, name: "host2", member: "2-aaaaaaaa", revision: 7n };
  const known = new Map([[2, entry]]);
  assert.equal(
    nextRegistryStep(known, [seen(2, "aaaaaaaa", { isHeard: false })], new Set()),
    undefined,
  );
  assert.equal(
    nextRegistryStep(known, [seen(2, "bbbbbbbb", { isSteady: false })], new Set()),
    undefined,
  );
  assert.deepEqual(nextRegistryStep(known, [seen(2, "bbbbbbbb")], new Set()), {
    step: "register",
    node: { id: 2, name: "host2", member: "2-bbbbbbbb" },
    revision: 7n,
  });
  assert.equal(nextRegistryStep(new Map(), [seen(2)], new Set(["2-aaaaaaaa"])), undefined);
});

test("whatever bytes are in the store, reading a node never throws, and what is written is read", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1200 }), (bytes) => {
      const node = decodeNode(bytes);
      assert.ok(node === undefined || node.member.startsWith(`${node.id}-`));
    }),
    { numRuns: 200 },
  );
  const [put] = firstCommit("prod", seen(7)).writes.filter(({ key }) => key === `${NODES_PREFIX}7`);
  assert.ok(put?.type === "put");
  assert.deepEqual(decodeNode(put.value), { id: 7, name: "host7", member: "7-aaaaaaaa" });
});
