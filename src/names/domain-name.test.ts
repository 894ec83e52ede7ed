import assert from "node:assert/strict";
import { test } from "node:test";
import { foldedName, localName } from "./domain-name.ts";

test("names of containers are taken in lower case, with dots, dashes and underscores", () => {
  assert.equal(localName("Web"), "web");
  for (const name of ["a", "my_app-1", "shop-web-1", "_x", "1", "my.app", "a-"]) {
    assert.equal(localName(name), name);
  }
});

test("what cannot be a name is none", () => {
  for (const name of [
    "",
    ".",
    "a..b",
    ".a",
    "a.",
    "-a",
    "a b",
    "ü",
    "a".repeat(64),
    "a/b",
    "a\n",
  ]) {
    assert.equal(localName(name), undefined, JSON.stringify(name));
  }
  assert.equal(localName(`${"a".repeat(50)}.${"b".repeat(49)}`)?.length, 100);
  assert.equal(localName(`${"a".repeat(50)}.${"b".repeat(50)}`), undefined);
});

test("a label that holds a dot folds into no name", () => {
  assert.equal(foldedName(["A", "Hansa"]), "a.hansa");
  assert.equal(foldedName(["a.b", "hansa"]), undefined);
  assert.equal(foldedName(["a\u0000", "hansa"]), undefined);
});
