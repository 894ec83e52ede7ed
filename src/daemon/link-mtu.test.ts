import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { silentLogger } from "../host/logger.ts";
import { LinkMtu } from "./link-mtu.ts";

const folder = mkdtempSync(join(tmpdir(), "hansa-link-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("a daemon that starts while the link is down goes on with the MTU of before, not with loopback's", async () => {
  const path = join(folder, "link.json");
  assert.equal((await LinkMtu.load(path, silentLogger)).of("127.0.0.1"), 1500);
  writeFileSync(path, '{"format":1,"mtu":9000}\n');
  const again = await LinkMtu.load(path, silentLogger);
  assert.equal(again.of("127.0.0.1"), 9000);
  assert.equal(again.of("192.0.2.1"), 9000);
});

test("a file that says what no link has is not taken", async () => {
  const path = join(folder, "odd.json");
  for (const text of ['{"format":1,"mtu":0}', '{"format":1,"mtu":"1500"}', '{"format":1}', "{"]) {
    writeFileSync(path, text);
    assert.equal((await LinkMtu.load(path, silentLogger)).of("127.0.0.1"), 1500, text);
  }
});
