import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ContainerEvent,
  containerEventSchema,
  containersSchema,
} from "../api/container-schema.ts";
import { exampleContainers } from "../api/example-answers.ts";
import { isContainerEvent, isContainers } from "./container-check.ts";

test("the light checks and the schemas accept the same documents", () => {
  const all = exampleContainers();
  const [row] = all.containers;
  const [node] = all.nodes;
  assert.ok(row && node);
  assert.ok(isContainers(all));
  containersSchema.parse(all);
  const events: ContainerEvent[] = [
    { type: "all", ...all },
    { type: "container", container: row },
    { type: "gone", node: 1, id: "a" },
    { type: "node", node },
    { type: "node-gone", node: 1 },
  ];
  for (const event of events) {
    assert.ok(isContainerEvent(event), event.type);
    containerEventSchema.parse(event);
    for (const key of Object.keys(event)) {
      assert.ok(!isContainerEvent({ ...event, [key]: undefined }), `${event.type} without ${key}`);
    }
  }
  for (const other of [null, 1, "all", {}, { type: "toString" }, { type: 1 }]) {
    assert.ok(!isContainerEvent(other));
  }
});
