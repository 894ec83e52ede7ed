/** What stands in for Node's modules loads them late, and is then like them. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { LATE, lazyBuiltins } from "./lazy-builtins.ts";

const nodesOwn = createRequire(import.meta.url);

function counted(): { readonly loads: string[]; readonly require: (id: string) => unknown } {
  const loads: string[] = [];
  const require = lazyBuiltins((id) => {
    loads.push(id);
    return nodesOwn(id);
  });
  return { loads, require };
}

test("a module is loaded when something of it is first read, and once", () => {
  const { loads, require } = counted();
  const crypto = require("node:crypto") as typeof import("node:crypto");
  assert.equal(require("node:crypto"), crypto);
  assert.deepEqual(loads, []);
  assert.equal(crypto.randomBytes(3).length, 3);
  assert.equal(crypto.randomBytes, nodesOwn("node:crypto").randomBytes);
  assert.equal(crypto.webcrypto, nodesOwn("node:crypto").webcrypto);
  assert.deepEqual(loads, ["node:crypto"]);
});

test("what stands in is like the module, whatever is asked of it first", () => {
  const firstLooks: readonly ((standIn: object, name: string) => unknown)[] = [
    (standIn, name) => Reflect.get(standIn, name),
    (standIn, name) => name in standIn,
    (standIn, name) => Object.hasOwn(standIn, name),
    (standIn) => Object.keys(standIn),
    (standIn) => ({ ...standIn }),
  ];
  for (const look of firstLooks) {
    const { loads, require } = counted();
    for (const late of LATE) {
      const id = `node:${late}`;
      const own = nodesOwn(id) as Record<string, unknown>;
      const standIn = require(id) as Record<string, unknown>;
      const names = Object.keys(own);
      assert.deepEqual(look(standIn, names[0] ?? ""), look(own, names[0] ?? ""), id);
      assert.deepEqual(Object.keys(standIn), names, id);
      assert.deepEqual(
        names.filter((name) => standIn[name] !== own[name]),
        [],
        id,
      );
    }
    assert.deepEqual(
      loads,
      [...LATE].map((late) => `node:${late}`),
    );
  }
});

test("what fails to load fails again, and is loaded once it can be", () => {
  let isThere = false;
  const require = lazyBuiltins((id) => {
    if (!isThere) throw new Error("not there");
    return nodesOwn(id);
  });
  const os = require("node:os") as typeof import("node:os");
  assert.throws(() => os.hostname(), /not there/);
  isThere = true;
  assert.equal(os.hostname(), (nodesOwn("node:os") as typeof os).hostname());
});

test("a module that is a function is Node's own", () => {
  const { loads, require } = counted();
  assert.equal(require("node:events"), nodesOwn("node:events"));
  assert.deepEqual(loads, ["node:events"]);
});
