import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isHansaError } from "../errors.ts";
import { requireStoreName, storeNameFrom } from "./store-name.ts";

test("a name has 1 to 15 letters, digits and hyphens, none of these at an end", () => {
  for (const good of ["a", "7", "prod", "prod-central", "a".repeat(15)]) requireStoreName(good);
  for (const bad of ["", "-a", "a-", "a_b", "a.b", "a".repeat(16), "é", "a\n"]) {
    assert.throws(
      () => requireStoreName(bad),
      (error) => isHansaError(error, "USAGE"),
      bad,
    );
  }
});

test("whatever a cluster is called, a name comes of it", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => requireStoreName(storeNameFrom(text))),
  );
  assert.equal(storeNameFrom("my.cluster"), "mycluster");
  assert.equal(storeNameFrom("..."), "hansa");
});
