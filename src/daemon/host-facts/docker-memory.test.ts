import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { silentLogger } from "../../host/logger.ts";
import { dockerMemory } from "./docker-memory.ts";

const folder = mkdtempSync(join(tmpdir(), "hansa-docker-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const OLD = { version: "20.10.24", firewallBackend: "iptables" } as const;
const NEW = { version: "29.0.2", firewallBackend: "nftables" } as const;
const load = (name: string) => dockerMemory(join(folder, name), silentLogger);

test("Docker as last seen is known after a restart, and what it is now goes before", async () => {
  const first = await load("docker.json");
  assert.equal(first.value(undefined), undefined);
  assert.deepEqual(first.value(OLD), OLD);
  const second = await load("docker.json");
  assert.deepEqual(second.value(undefined), OLD);
  assert.deepEqual(second.value(NEW), NEW);
  assert.deepEqual(second.value(undefined), NEW);
  assert.deepEqual((await load("docker.json")).value(undefined), NEW);
});

test("a damaged file, or one that cannot be written, costs the head start only", async () => {
  for (const text of ["", "{", "null", "[]", '{"format":2}', '{"format":1,"version":"1"}']) {
    writeFileSync(join(folder, "damaged.json"), text);
    const memory = await load("damaged.json");
    assert.equal(memory.value(undefined), undefined, text);
    assert.deepEqual(memory.value(OLD), OLD);
    assert.match(readFileSync(join(folder, "damaged.json"), "utf8"), /20\.10\.24/);
  }
  const nowhere = await load("no/such/folder/docker.json");
  assert.deepEqual(nowhere.value(OLD), OLD);
  assert.deepEqual(nowhere.value(undefined), OLD);
});
