import assert from "node:assert/strict";
import { test } from "node:test";
import { uniqueName } from "./unique-name.ts";

test("no name is given twice, and each can be part of a file's name", () => {
  const names = new Set(Array.from({ length: 10_000 }, uniqueName));
  assert.equal(names.size, 10_000);
  for (const name of names) assert.match(name, /^[0-9a-z-]{1,64}$/);
});
