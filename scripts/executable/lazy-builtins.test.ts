/** What stands in for Node's modules loads them late, and is then like them. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { builtinNames } from "./builtin-names.ts";
import { lazyBuiltins } from "./lazy-builtins.ts";

const nodesOwn = createRequire(import.meta.url);

function counted(): { readonly loads: string[]; readonly require: (id: string) => unknown } {
  const loads: string[] = [];
  const require = lazyBuiltins(builtinNames(), (id) => {
    loads.push(id);
    return nodesOwn(id);
  });
  return { loads, require };
}

test("a module is loaded when something of it is first read, and once", () => {
  const { loads, require } = counted();
  const crypto = require("node:crypto") as typeof import("node:crypto");
  assert.equal(require("node:crypto"), crypto);
  assert.ok(Object.hasOwn(crypto, "randomBytes"));
  assert.deepEqual(loads, []);
  assert.equal(crypto.randomBytes(3).length, 3);
  assert.equal(crypto.randomBytes, nodesOwn("node:crypto").randomBytes);
  assert.equal(crypto.webcrypto, nodesOwn("node:crypto").webcrypto);
  assert.deepEqual(loads, ["node:crypto"]);
});

test("what stands in has the module's names, before and after", () => {
  const { require } = counted();
  for (const id of Object.keys(builtinNames())) {
    const standIn = require(id) as Record<string, unknown>;
    const names = Object.keys(nodesOwn(id)).sort();
    assert.deepEqual(Object.keys(standIn).sort(), names, id);
    void standIn[names[0] ?? ""];
    assert.deepEqual(Object.keys(standIn).sort(), names, id);
  }
});

test("a module that is a function is Node's own", () => {
  const { loads, require } = counted();
  assert.equal(require("node:events"), nodesOwn("node:events"));
  assert.deepEqual(loads, ["node:events"]);
});
