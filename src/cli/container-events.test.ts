import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerNode, ContainerRow, Containers } from "../api/container-schema.ts";
import { happeningsBetween, happeningsSince } from "./container-events.ts";

const AT = "2026-01-02T03:04:05.000Z";
const HOST: ContainerNode = { id: 2, name: "host2", reachable: true, asOf: AT, problem: null };

function row(state: ContainerRow["state"], stateSince = AT, dockerName = "web"): ContainerRow {
  return {
    ...{
      node: { id: 2, name: "host2" },
      id: dockerName,
      group: null,
      name: dockerName,
      dockerName,
    },
    ...{ image: "busybox", addresses: [], ports: [], dependsOn: [], engine: "docker" },
    imageState: { state: "pulled", percent: null, error: null },
    ...{ engineState: null, state, stateSince, error: null },
    exitCode: state === "failed" ? 5 : null,
  };
}

const list = (containers: ContainerRow[], node = HOST): Containers => ({
  nodes: [node],
  containers,
});
const told = (all: ReturnType<typeof happeningsSince>) =>
  all.map(({ subject, what, exitCode }) => `${subject} ${what}${exitCode ?? ""}`);

test("starts, ends, a start anew and removals are told once", () => {
  const later = "2026-01-02T03:05:05.000Z";
  const between = (a: ContainerRow[], b: ContainerRow[]) =>
    told(happeningsBetween(list(a), list(b), 0));
  assert.deepEqual(between([], [row("running")]), ["host2/web running"]);
  assert.deepEqual(between([row("running")], [row("failed", later)]), ["host2/web failed5"]);
  assert.deepEqual(between([row("running")], [row("running", later)]), ["host2/web running"]);
  assert.deepEqual(between([row("running")], []), ["host2/web removed"]);
  assert.deepEqual(between([row("running")], [row("running")]), []);
});

test("what a node tells for the first time is no news unless it is late enough", () => {
  const unknown = { ...HOST, asOf: null };
  const before = list([], unknown);
  const after = list([row("running")]);
  assert.deepEqual(told(happeningsBetween(before, after, Date.parse(AT) + 1)), []);
  assert.deepEqual(told(happeningsBetween(before, after, Date.parse(AT))), ["host2/web running"]);
  assert.deepEqual(told(happeningsSince(after, Date.parse(AT) + 1)), []);
});

test("a node that cannot be asked any more is told, and that it can again", () => {
  const away = { ...HOST, reachable: false };
  assert.deepEqual(told(happeningsBetween(list([]), list([], away), 0)), ["host2 unreachable"]);
  assert.deepEqual(told(happeningsBetween(list([], away), list([]), 0)), ["host2 reachable"]);
});
