import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../store/store.ts";
import { registeredIn } from "./known-votes.ts";

function entry(id: number, fields: object): Entry {
  const value = new TextEncoder().encode(JSON.stringify(fields));
  return { key: `cluster/nodes/${id}`, value, revision: 7n, created: 7n };
}

test("the registry's nodes are told with the marks of their keys, without those that are gone for good and what is none", () => {
  const entries = [
    entry(1, { version: 1, name: "host1", member: "1-00000001" }),
    entry(4, { version: 1, name: "host4", member: "4-00000004" }),
    entry(5, { version: 1, name: "host5", member: "6-00000006" }),
    entry(6, {}),
  ];
  const list = (prefix: string) => entries.filter(({ key }) => key.startsWith(prefix));
  assert.deepEqual(
    registeredIn({ list }, (name) => name === "4-00000004"),
    [{ id: 1, keyFingerprint: "00000001", name: "host1" }],
  );
});
