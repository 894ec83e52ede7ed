import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ContainerBoard } from "./container-board.ts";
import type { ContainerEvent, ContainerRow } from "./container-schema.ts";
import { exampleContainers } from "./example-answers.ts";

const { nodes, containers } = exampleContainers();
const [node] = nodes;
const [row] = containers;
assert.ok(node && row);

const anyRow = fc
  .record({
    node: fc.integer({ min: 1, max: 3 }),
    id: fc.constantFrom("a", "b", "c"),
    n: fc.nat(3),
  })
  .map(
    ({ node: id, id: container, n }): ContainerRow => ({
      ...{ ...row, node: { id, name: `host${id}` }, id: container, name: `web${n}` },
    }),
  );
const anyEvent = fc.oneof(
  anyRow.map((container): ContainerEvent => ({ type: "container", container })),
  fc.record({
    type: fc.constant("gone" as const),
    node: fc.integer({ min: 1, max: 3 }),
    id: fc.constantFrom("a", "b", "c"),
  }),
  fc
    .record({ id: fc.integer({ min: 1, max: 3 }), reachable: fc.boolean() })
    .map((each): ContainerEvent => ({ type: "node", node: { ...node, ...each } })),
  fc.record({ type: fc.constant("node-gone" as const), node: fc.integer({ min: 1, max: 3 }) }),
);

test("who is told all in the middle lists the same in the end as who was told every change", () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 30 }), fc.nat(30), (events, at) => {
      const early = new ContainerBoard();
      const late = new ContainerBoard();
      for (const [index, event] of events.entries()) {
        if (index === at) late.take({ type: "all", ...early.list() });
        early.take(event);
        if (index >= at) late.take(event);
      }
      if (at < events.length) assert.deepEqual(late.list(), early.list());
    }),
  );
});

test("of a node that nobody told of nothing is kept, and of one node only so much", () => {
  const board = new ContainerBoard();
  board.take({ type: "container", container: row });
  assert.deepEqual(board.list(), { nodes: [], containers: [] });
  board.take({ type: "node", node });
  for (let index = 0; index < 5_000; index += 1) {
    board.take({ type: "container", container: { ...row, id: `${index}` } });
  }
  assert.equal(board.list().containers.length, 4_096);
});

test("groups come before what is in none, each in the order of its names", () => {
  const board = new ContainerBoard();
  const named = (name: string, group: string | null): ContainerRow => ({
    ...{ ...row, id: name, name, dockerName: name, group },
  });
  const rows = [named("z", "a"), named("q", null), named("y", "b"), named("p", null)];
  board.take({ type: "all", nodes, containers: [...rows, named("c", "a")] });
  const names = board.list().containers.map(({ name }) => name);
  assert.equal(names.join(), "c,z,y,p,q");
});
