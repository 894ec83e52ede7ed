import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isHansaError } from "../errors.ts";
import type { ClusterContext } from "./context.ts";
import { ContextStore } from "./context-store.ts";

const context = (place: string): ClusterContext => ({
  version: 1,
  api: [place],
  ca: "-----BEGIN CERTIFICATE-----\nAAAA\n",
  certificate: "-----BEGIN CERTIFICATE-----\nBBBB\n",
  privateKey: "-----BEGIN PRIVATE KEY-----\nCCCC\n",
});

let home: string;
before(async () => {
  home = await mkdtemp(join(tmpdir(), "hansa-contexts-"));
});
after(() => rm(home, { recursive: true }));

test("contexts are saved, listed, switched and removed, and nobody else may read them", async () => {
  const folder = join(home, "a/contexts");
  const store = new ContextStore(folder);
  assert.deepEqual([store.list(), store.active()], [[], undefined]);
  await store.save("office", context("host1:1443"));
  await store.save("home", context("host2:1443"));
  assert.deepEqual([store.list(), store.active()], [["home", "office"], "home"]);
  assert.deepEqual(store.read("office").api, ["host1:1443"]);
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  assert.equal((await stat(join(folder, "office.json"))).mode & 0o777, 0o600);
  await store.activate("office");
  await assert.rejects(store.activate("nowhere"), (error) =>
    isHansaError(error, "CONTEXT_NOT_FOUND"),
  );
  assert.equal(store.active(), "office");
  await store.remove("office");
  assert.deepEqual([store.list(), store.active()], [["home"], undefined]);
});

test("names that lead elsewhere are not followed, and damaged files are said", async () => {
  const store = new ContextStore(join(home, "b"));
  await store.save("good", context("host1:1443"));
  for (const name of ["../good", "", ".active", "a/b"]) {
    assert.throws(
      () => store.read(name),
      (error) => isHansaError(error, "CONTEXT_NOT_FOUND"),
      name,
    );
  }
  await writeFile(join(home, "b/bad.json"), "{");
  await writeFile(join(home, "b/other.json"), "{}");
  for (const name of ["bad", "other"]) {
    assert.throws(
      () => store.read(name),
      (error) => isHansaError(error, "STATE_DAMAGED"),
      name,
    );
  }
});
