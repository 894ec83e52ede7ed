/** Test files run side by side: no two bring up a playground of one name. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "../..");

test("each playground of an end-to-end test has a name that no other file has", () => {
  const owners = new Map<string, string>();
  for (const file of globSync("test/{e2e,playground}/*.ts", { cwd: ROOT }).sort()) {
    const text = readFileSync(join(ROOT, file), "utf8");
    const names = [...text.matchAll(/\bhosts\("([a-z0-9]+)"/g)].map(([, name = ""]) => name);
    for (const name of new Set(names)) {
      assert.equal(owners.get(name), undefined, `${file} and ${owners.get(name)}: ${name}`);
      owners.set(name, file);
    }
  }
  assert.ok(owners.size > 20, `${owners.size} names found`);
});
