import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Cluster, type Placed, placeOf } from "./join-plan.ts";

const nodes: readonly Placed[] = [
  { id: 1, name: "smr-node-1", fingerprint: "00000001" },
  { id: 4, name: "smr-node-4", fingerprint: "00000004" },
];
const cluster: Cluster = { placed: nodes, owners: [1, 2, 4], departed: new Set(), maxId: 10 };

test("a host gets the lowest id that nobody has, and that owns no addresses", () => {
  const wish = { name: "new", fingerprint: "aaaaaaaa" };
  assert.deepEqual(placeOf(wish, cluster), { ok: true, id: 3, name: "new" });
  assert.deepEqual(placeOf(wish, { ...cluster, placed: [], owners: [] }), {
    ...{ ok: true, id: 1, name: "new" },
  });
});

test("a key that is known gets its id and its name back, whatever it asks for", () => {
  const again = { name: "other", fingerprint: "00000004" };
  assert.deepEqual(placeOf(again, cluster), { ok: true, id: 4, name: "smr-node-4" });
});

test("a name is refused in any case of letters, naming who has it; a promised one says for how long", () => {
  const taken = placeOf({ name: "SMR-Node-1", fingerprint: "aaaaaaaa" }, cluster);
  assert.ok(!taken.ok);
  assert.equal(taken.code, "NODE_NAME_TAKEN");
  assert.equal(taken.text, "node 1 of the cluster has the name smr-node-1 already");
  const promised = { id: 3, name: "new", fingerprint: "bbbbbbbb", forSeconds: 42 };
  const late = placeOf(
    { name: "new", fingerprint: "aaaaaaaa" },
    { ...cluster, placed: [...nodes, promised] },
  );
  assert.ok(!late.ok);
  assert.match(late.text, /promised to another host just now, and is free again in 42 s/);
});

test("an id that is asked for is given, or refused when anybody has it or owns addresses by it", () => {
  const wish = { name: "new", fingerprint: "aaaaaaaa" };
  assert.deepEqual(placeOf({ ...wish, id: 9 }, cluster), { ok: true, id: 9, name: "new" });
  for (const id of [4, ...cluster.owners]) {
    const taken = placeOf({ ...wish, id }, cluster);
    assert.ok(!taken.ok && taken.code === "NODE_ID_TAKEN", `${id}`);
  }
});

test("a key that left for good is let in no more, and a full subnet lets nobody in", () => {
  const wish = { name: "new", fingerprint: "aaaaaaaa" };
  const gone = placeOf(wish, { ...cluster, departed: new Set(["aaaaaaaa"]) });
  assert.ok(!gone.ok && gone.code === "NODE_DEPARTED");
  const full = placeOf(wish, { ...cluster, maxId: 2 });
  assert.ok(!full.ok && full.code === "IPAM_ID_OUTSIDE_SUBNET");
});

test("whoever joins in whatever order, ids and names stay different and keys keep theirs", () => {
  const joins = fc.array(
    fc.record({ name: fc.constantFrom("a", "A", "b", "c", "d"), key: fc.nat(6) }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(joins, (wishes) => {
      const placed: Placed[] = [];
      for (const { name, key } of wishes) {
        const fingerprint = `0000000${key}`;
        const place = placeOf(
          { name, fingerprint },
          { placed, owners: [2], departed: new Set(["00000005"]), maxId: 6 },
        );
        const before = placed.find((each) => each.fingerprint === fingerprint);
        if (!place.ok) assert.ok(before === undefined);
        else if (before) assert.deepEqual([place.id, place.name], [before.id, before.name]);
        else placed.push({ id: place.id, name: place.name, fingerprint });
      }
      assert.equal(new Set(placed.map(({ id }) => id)).size, placed.length);
      assert.equal(new Set(placed.map((each) => each.name.toLowerCase())).size, placed.length);
      assert.ok(placed.every(({ id, fingerprint }) => id !== 2 && fingerprint !== "00000005"));
    }),
  );
});
