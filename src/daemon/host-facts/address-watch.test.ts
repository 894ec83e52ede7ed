import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { AddressWatch } from "./address-watch.ts";

test("the addresses may be others when the table is another, and while there is none", () => {
  const dir = mkdtempSync(join(tmpdir(), "hansa-addresses-"));
  try {
    const path = join(dir, "fib_trie");
    const watch = new AddressWatch(path);
    assert.equal(watch.haveChanged(), true);
    assert.equal(watch.haveChanged(), true);
    writeFileSync(path, "|-- 192.168.48.11");
    assert.equal(watch.haveChanged(), true);
    assert.equal(watch.haveChanged(), false);
    writeFileSync(path, "|-- 192.168.48.12");
    assert.equal(watch.haveChanged(), true);
    assert.equal(watch.haveChanged(), false);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
