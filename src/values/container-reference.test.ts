import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  containerLabel,
  matchContainers,
  type NamedContainer,
  parseContainerReference,
} from "./container-reference.ts";

const host1 = { id: 1, name: "host1" };
const host2 = { id: 2, name: "host2" };
const A = "a".repeat(64);
const B = `ab${"c".repeat(62)}`;

const WEB: NamedContainer = { node: host1, id: A, name: "web", services: [] };
const SHOP: NamedContainer = { node: host2, id: B, name: "shop-web-1", services: ["web"] };
const OTHER: NamedContainer = { node: host2, id: "d".repeat(64), name: "abc", services: ["web"] };

function meant(text: string, containers = [WEB, SHOP, OTHER]): string[] {
  const reference = parseContainerReference(text);
  return reference === undefined ? [] : matchContainers(reference, containers).map(containerLabel);
}

test("a name goes before the beginning of an id, that before a service, and a whole id before all", () => {
  assert.deepEqual(meant("web"), ["host1/web"]);
  assert.deepEqual(meant("abc"), ["host2/abc"]);
  assert.deepEqual(meant("abcc"), ["host2/shop-web-1"]);
  assert.deepEqual(meant(A), ["host1/web"]);
  assert.deepEqual(meant("a"), ["host1/web", "host2/shop-web-1"]);
  assert.deepEqual(meant("web", [SHOP, OTHER]), ["host2/shop-web-1", "host2/abc"]);
  assert.deepEqual(meant("nothing"), []);
});

test("the node before it, by name or id, leaves only its own", () => {
  assert.deepEqual(meant("host2/a"), ["host2/shop-web-1"]);
  assert.deepEqual(meant("2/abc"), ["host2/abc"]);
  assert.deepEqual(meant("host1/abc"), []);
});

test("what no container can be called is no reference", () => {
  for (const text of ["", "/web", "a/b/c", "-x", "we b", "web:", "x".repeat(300)]) {
    assert.equal(parseContainerReference(text), undefined, text);
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseContainerReference(text);
    }),
  );
});
