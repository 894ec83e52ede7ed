import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { test } from "node:test";
import { listeners, serviceIn, storeStrangers } from "./store-strangers.ts";

const HEAD =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const TAIL = "00000000:00000000 00:00000000 00000000     0        0";

test("of the kernel's tables it knows who listens, where, and by which socket", () => {
  const table = [
    HEAD,
    `   0: 0100007F:094B 00000000:0000 0A ${TAIL} 4711 1 0000000000000000 100 0 0 10 0`,
    `   1: 0100200A:23FC 00000000:0000 0A ${TAIL} 4712 1 0000000000000000 100 0 0 10 0`,
    `   2: 00000000:23FC 00000000:0000 0A ${TAIL} 4713 1 0000000000000000 100 0 0 10 0`,
    `   3: 0100007F:094B 0100007F:8888 01 ${TAIL} 4714 1 0000000000000000 100 0 0 10 0`,
    "",
  ].join("\n");
  assert.deepEqual(listeners(table, false), [
    { address: "127.0.0.1", port: 2379, inode: "4711" },
    { address: "10.32.0.1", port: 9212, inode: "4712" },
    { address: "any", port: 9212, inode: "4713" },
  ]);
  const six = `${HEAD}\n   0: ${"0".repeat(32)}:094B ${"0".repeat(32)}:0000 0A ${TAIL} 7 1 0\n`;
  assert.deepEqual(listeners(six, true), [{ address: "any", port: 2379, inode: "7" }]);
});

test("a service is named as systemd names it", () => {
  assert.equal(serviceIn("0::/system.slice/etcd.service\n"), "etcd.service");
  assert.equal(serviceIn("12:cpu:/\n1:name=systemd:/system.slice/etcd.service\n"), "etcd.service");
  assert.equal(serviceIn("0::/user.slice/user-0.slice/session-1.scope\n"), undefined);
});

test("another program at the port is named, wherever it listens; a free one and our own etcd's are not", async () => {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as { readonly port: number };
    const place = { host: "127.0.0.1", port };
    const [found, ...others] = storeStrangers([place, { host: "127.0.0.2", port }], "/x/etcd.json");
    assert.deepEqual(others, []);
    assert.match(found?.by ?? "", new RegExp(`\\(pid ${process.pid}\\)`));
    const own = process.argv[0] ?? "";
    assert.deepEqual(storeStrangers([place], own), []);
  } finally {
    server.close();
  }
});
