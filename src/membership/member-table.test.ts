import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seeded } from "../values/seeded-random.ts";
import { type MemberFacts, MemberRegistry } from "./member-registry.ts";
import { BYTES_PER_MEMBER, MemberTable } from "./member-table.ts";
import type { MemberState } from "./message.ts";

function facts(name: string, port = 1): MemberFacts {
  return {
    name,
    endpoint: { ip: "10.0.0.1", port },
    meta: Uint8Array.of(1),
    versions: [2, 5, 5, 0, 0, 0],
  };
}

function table(seed = 1): MemberTable {
  const made = new MemberTable(new MemberRegistry(), 0, seeded(seed));
  made.addSelf(facts("self"), 1, 0);
  return made;
}

test("each live member is probed exactly once in a round, in a random order", () => {
  const members = table();
  const names = Array.from({ length: 50 }, (_, index) => `n${index}`);
  for (const name of names) members.add(facts(name), 1, "alive", 0);
  const rounds = [0, 1].map(() =>
    names.map(() => members.record(members.nextToProbe()).name).join(),
  );
  for (const round of rounds) assert.deepEqual(round.split(",").sort(), [...names].sort());
  assert.notEqual(rounds[0], rounds[1]);
});

test("a death in the middle of a round costs nobody else its turn", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const members = table(seed);
    for (let index = 0; index < 10; index++) members.add(facts(`n${index}`), 1, "alive", 0);
    const probed = [0, 1, 2, 3].map(() => members.nextToProbe());
    members.setState(probed[1]!, "dead", 1);
    for (let turn = 0; turn < 6; turn++) probed.push(members.nextToProbe());
    assert.equal(new Set(probed).size, 10);
  }
});

test("the table agrees with a plain map under any changes", () => {
  const states: MemberState[] = ["alive", "suspect", "dead", "left"];
  const step = fc.record({
    name: fc.integer({ min: 0, max: 15 }).map((index) => `n${index}`),
    act: fc.constantFrom("set", "set", "set", "remove", "probe"),
    state: fc.constantFrom(...states),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.integer(), (steps, seed) => {
      const members = table(seed);
      const model = new Map<string, MemberState>();
      for (const { name, act, state } of steps) {
        const slot = members.find(name);
        assert.equal(slot >= 0, model.has(name));
        if (act === "probe") members.nextToProbe();
        else if (act === "remove") {
          if (slot >= 0) members.remove(slot);
          model.delete(name);
        } else {
          if (slot >= 0) members.setState(slot, state, 5);
          else members.add(facts(name), 7, state, 5);
          model.set(name, state);
        }
        const live = [...model.values()].filter((value) => /alive|suspect/.test(value)).length;
        assert.equal(members.liveCount, live);
      }
      const seen = [...members.others()].map((slot) => [
        members.record(slot).name,
        members.state(slot),
      ]);
      assert.deepEqual(seen.sort(), [...model].sort());
      const lively = members.randomLive(20).map((slot) => members.state(slot));
      assert.equal(lively.length, members.liveCount);
      assert.ok(lively.every((state) => state === "alive" || state === "suspect"));
    }),
  );
});

test("equal facts are one record, and a record ends with its last user", () => {
  const registry = new MemberRegistry();
  const one = registry.acquire(facts("a"));
  assert.equal(registry.acquire(facts("a")), one);
  const other = registry.acquire(facts("a", 2));
  assert.notEqual(other, one);
  assert.equal(registry.record(one).nameId, registry.record(other).nameId);
  registry.release(one);
  registry.release(one);
  assert.throws(() => registry.record(one), RangeError);
  registry.release(other);
  assert.equal(registry.nameId("a"), -1);
});

test("the metadata of a record does not keep the packet that it came in", () => {
  const packet = new Uint8Array(1_000);
  const registry = new MemberRegistry();
  const id = registry.acquire({ ...facts("a"), meta: packet.subarray(10, 20) });
  assert.equal(registry.record(id).meta.buffer.byteLength, 10);
});

test("a member costs at most 40 bytes in a table, growth included", () => {
  assert.ok(BYTES_PER_MEMBER * 1.25 <= 40);
});

test("whoever is known already and becomes ourselves is alive from now on, whatever was held of it", () => {
  const members = table();
  const slot = members.add(facts("n1"), 3, "dead", 1_000);
  members.setRtt(slot, 7);
  const own = members.addSelf(facts("n1"), 4, 9_000);
  assert.equal(own, slot);
  assert.deepEqual(
    [members.state(own), members.sinceMs(own), members.rttMs(own), members.incarnation(own)],
    ["alive", 9_000, undefined, 4],
  );
});
