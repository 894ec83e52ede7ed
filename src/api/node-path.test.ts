import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isHansaError } from "../errors.ts";
import { ROLES } from "../values/role.ts";
import { callerThrough } from "./caller.ts";
import { decodeCaller, encodeCaller } from "./caller-header.ts";
import { chooseNode, nodePath, splitNodePath } from "./node-path.ts";

test("a path that names a node is split into the node and the path there", () => {
  assert.deepEqual(splitNodePath("/v1/nodes/host2/status"), { node: "host2", path: "/v1/status" });
  assert.deepEqual(splitNodePath("/v1/nodes/2/status/watch?a=1&b=/x"), {
    node: "2",
    path: "/v1/status/watch?a=1&b=/x",
  });
  assert.deepEqual(splitNodePath("/v1/nodes/a%20b%2Fc/x")?.node, "a b/c");
});

test("what names no node, a node only, a node of a node, or is malformed is left to the table of routes", () => {
  for (const path of [
    ...["/", "/v1/status", "/v1/nodes", "/v1/nodes/", "/v1/nodes/host2", "/v1/nodes/host2/"],
    ...["/v1/nodes//status", "/v1/nodes/%zz/status", "/v1/nodes/a/nodes/b/status"],
    ...["/v1/nodes/a/nodes", "/v1/nodes/host2?x=/y", "//v1/nodes/a/status", "/v1/nodes/a/?x"],
    `/v1/nodes/${"a".repeat(300)}/status`,
  ]) {
    assert.equal(splitNodePath(path), undefined, path);
  }
});

test("whatever a node is called, a path made for it is split into the same again", () => {
  const node = fc.string({ minLength: 1, maxLength: 60, unit: "grapheme" });
  fc.assert(
    fc.property(
      node,
      fc.webPath().filter((path) => path.length > 1),
      (name, rest) => {
        const path = `/v1${rest}`;
        fc.pre(!/^\/v1\/(nodes(\/|\?|$)|$)/.test(path) && path !== "/v1/");
        assert.deepEqual(splitNodePath(nodePath(name, path)), { node: name, path });
      },
    ),
  );
});

test("no url makes the split throw", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      splitNodePath(text);
      splitNodePath(`/v1/nodes/${text}`);
    }),
  );
});

test("a node is chosen by id before name; a name of two is refused with their ids", () => {
  const nodes = [
    { id: 1, name: "host1" },
    { id: 2, name: "7" },
    { id: 7, name: "web" },
    { id: 9, name: "web" },
  ];
  assert.equal(chooseNode("7", nodes).id, 7);
  assert.equal(chooseNode("host1", nodes).id, 1);
  assert.throws(() => chooseNode("host3", nodes), { code: "NODE_NOT_FOUND" });
  assert.throws(
    () => chooseNode("web", nodes),
    (error) => isHansaError(error, "USAGE") && /nodes 7, 9 are all called web/.test(error.message),
  );
});

const ADA = { name: "ada", role: "viewer", from: "192.0.2.9", serial: "4a" } as const;
const NODE = { name: "host1", role: "node", from: "192.0.2.1", serial: "4b" } as const;

test("a caller is told as it is, whatever its name is made of", () => {
  const text = fc.string({ minLength: 1, maxLength: 128, unit: "grapheme" });
  const plain = text.filter((name) => name.length <= 128 && !/[\p{Cc}\p{Cs}]/u.test(name));
  fc.assert(
    fc.property(plain, fc.constantFrom(...ROLES), (name, role) => {
      const told = decodeCaller(encodeCaller({ ...ADA, name, role }));
      assert.deepEqual(told, role === "node" ? undefined : { ...ADA, name, role });
    }),
  );
});

test("a node may ask for somebody else; nobody else may, and a node that names nobody fit is nobody", () => {
  const header = encodeCaller(ADA);
  assert.deepEqual(callerThrough(NODE, header), { ...ADA, via: "host1" });
  assert.equal(callerThrough(NODE, undefined), NODE);
  const admin = encodeCaller({ ...ADA, role: "admin" });
  assert.equal(callerThrough(ADA, admin), ADA);
  for (const bad of ["", "x", ["a"], encodeCaller(NODE), `${header}=`]) {
    assert.equal(callerThrough(NODE, bad), undefined);
  }
});
