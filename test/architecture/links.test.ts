/** Every relative link of our documents leads to a file that exists. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "../..");
const DOCUMENTS = ["*.md", "docs/**/*.md"].flatMap((glob) => globSync(glob, { cwd: ROOT }));

/** Targets of inline links, without their anchors; none for addresses of other sites. */
function relativeLinks(text: string): string[] {
  const prose = text.replace(/^```.*?^```/gms, "").replace(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^()\s]+)\)/g)]
    .map(([, target = ""]) => target.replace(/#.*$/, ""))
    .filter((target) => target !== "" && !/^[a-z]+:/.test(target));
}

test("every relative link of the documents leads to a file", () => {
  assert.ok(DOCUMENTS.length > 10);
  const broken = DOCUMENTS.flatMap((document) =>
    relativeLinks(readFileSync(join(ROOT, document), "utf8"))
      .filter((target) => !existsSync(join(ROOT, dirname(document), target)))
      .map((target) => `${document}: ${target}`),
  );
  assert.deepEqual(broken, []);
});
