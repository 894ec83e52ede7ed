import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { silentLogger } from "../../host/logger.ts";
import { LinkMtu } from "./link-mtu.ts";

const ODD = '{"format":1,"mtu":1500,"links":{"10.0.0.1":0}}';
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
  for (const text of [
    '{"format":1,"mtu":0}',
    '{"format":1,"mtu":"1500"}',
    '{"format":1}',
    "{",
    ODD,
  ]) {
    writeFileSync(path, text);
    assert.equal((await LinkMtu.load(path, silentLogger)).of("127.0.0.1"), 1500, text);
  }
});

test("a link that is down counts with the MTU that it had, also after a restart, until it is no link any more", async () => {
  const path = join(folder, "two.json");
  const mtus = new Map([
    ["10.0.0.1", 9000],
    ["10.1.0.1", 1500],
  ]);
  const load = (): Promise<LinkMtu> =>
    LinkMtu.load(path, silentLogger, (address) => mtus.get(address));
  let link = await load();
  assert.equal(link.of("10.0.0.1", "10.0.0.1", "10.1.0.1"), 1500);
  mtus.delete("10.1.0.1");
  assert.equal(link.of("10.0.0.1", "10.1.0.1"), 1500);
  link = await load();
  assert.equal(link.of("10.0.0.1", "10.1.0.1"), 1500);
  mtus.set("10.1.0.1", 1400);
  assert.equal(link.of("10.0.0.1", "10.1.0.1"), 1400);
  mtus.clear();
  assert.equal(link.of("127.0.0.1"), 1400);
  mtus.set("10.0.0.1", 9000);
  assert.equal(link.of("10.0.0.1"), 9000);
});

test("the file of a former build, which knew one MTU for all links, is read", async () => {
  const path = join(folder, "former.json");
  writeFileSync(path, '{"format":1,"mtu":1400}\n');
  const link = await LinkMtu.load(path, silentLogger, () => undefined);
  assert.equal(link.of("10.0.0.1"), 1400);
});
