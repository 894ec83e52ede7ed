/** Every sentence of a predecessor's page names a test, and that test exists. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "../..");

/** The rows of a page's table: what it says, and "file: words of a test's title". */
function rows(text: string): { says: string; file: string; title: string }[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| the page says"))
    .map((line) => {
      const [says = "", named = ""] = line.slice(2, -2).split(" | ");
      const at = named.indexOf(": ");
      return { says, file: named.slice(0, at), title: named.slice(at + 2) };
    });
}

for (const page of globSync("docs/seeds/*.md", { cwd: ROOT })) {
  test(`each sentence in ${page} names a test that exists`, () => {
    const found = rows(readFileSync(join(ROOT, page), "utf8"));
    assert.ok(found.length > 20);
    for (const { says, file, title } of found) {
      const path = join(ROOT, "test/e2e", `${file}.test.ts`);
      assert.ok(existsSync(path), `${says}: there is no ${file}.test.ts`);
      assert.ok(title !== "" && readFileSync(path, "utf8").includes(title), `${says}: ${title}`);
    }
  });
}
