import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  arePlain,
  formatNodeLink,
  formatNodeLinks,
  isNodeLink,
  listenAddress,
  plainLinks,
  readNodeLinks,
} from "./node-link.ts";

test("a link is an address, with or without its key, and may have a priority", () => {
  for (const [text, address, priority] of [
    ["192.0.2.1", "192.0.2.1", 1],
    ["address=192.0.2.1", "192.0.2.1", 1],
    ["192.0.2.1,priority=20", "192.0.2.1", 20],
    ["priority=0,address=2001:DB8::0:1", "2001:db8::1", 0],
    ["::ffff:192.0.2.1,priority=255", "192.0.2.1", 255],
  ] as const) {
    const links = [{ number: 3, address, priority }];
    assert.deepEqual(readNodeLinks([[3, text]]), { ok: true, links }, text);
  }
});

test("what is no link is refused by the option's name", () => {
  for (const [text, required] of [
    ["eth0", "an IP address of this host"],
    ["", "an IP address of this host"],
    ["fe80::1%eth0", "an IP address of this host"],
    ["priority=3", "an IP address of this host"],
    ["192.0.2.1,priority=256", "priority=0 to 255"],
    ["192.0.2.1,priority=-1", "priority=0 to 255"],
    ["192.0.2.1,priority=", "priority=0 to 255"],
    ["192.0.2.1,192.0.2.2", "[address=]IP[,priority=N]"],
    ["192.0.2.1,address=192.0.2.2", "[address=]IP[,priority=N]"],
    ["192.0.2.1,priority=1,priority=2", "[address=]IP[,priority=N]"],
    ["192.0.2.1,mtu=9000", "[address=]IP[,priority=N]"],
  ] as const) {
    const problem = { parameter: "link1", required, received: text };
    assert.deepEqual(readNodeLinks([[1, text]]), { ok: false, problem });
  }
});

test("links come in the order of their numbers, and no address twice", () => {
  const links = [
    { number: 0, address: "192.0.2.1", priority: 1 },
    { number: 2, address: "192.0.2.3", priority: 9 },
  ];
  const read = readNodeLinks([
    [2, "192.0.2.3,priority=9"],
    [0, "192.0.2.1"],
  ]);
  assert.deepEqual(read, { ok: true, links });
  assert.equal(formatNodeLinks(links), "link0 192.0.2.1 and link2 192.0.2.3,priority=9");
  assert.deepEqual(
    readNodeLinks([
      [0, "fd00::1"],
      [1, "address=FD00::0:1,priority=3"],
    ]),
    {
      ok: false,
      problem: {
        ...{ parameter: "link1", required: "another address than link0's" },
        received: "address=FD00::0:1,priority=3",
      },
    },
  );
  assert.equal(formatNodeLinks([]), "none");
});

test("a link survives being written as its option", () => {
  const arbitrary = fc.record({
    number: fc.integer({ min: 0, max: 7 }),
    address: fc.ipV4(),
    priority: fc.integer({ min: 0, max: 255 }),
  });
  fc.assert(
    fc.property(arbitrary, (link) => {
      const read = readNodeLinks([[link.number, formatNodeLink(link)]]);
      assert.deepEqual(read, { ok: true, links: [{ ...link }] });
      assert.ok(isNodeLink(link));
    }),
  );
});

test("plain links are those that their addresses alone tell", () => {
  const links = plainLinks(["192.0.2.1", "192.0.2.2"]);
  assert.ok(arePlain(links) && arePlain([]));
  assert.ok(!arePlain(links.slice(1)));
  assert.ok(!arePlain(links.map((link) => ({ ...link, priority: 2 }))));
  for (const wrong of [null, "x", {}, { ...links[0], number: 8 }, { ...links[0], address: "x" }])
    assert.equal(isNodeLink(wrong), false);
});

test("a node listens on addresses of IPv6 only where one of its links has one", () => {
  assert.equal(listenAddress([]), "0.0.0.0");
  assert.equal(listenAddress(plainLinks(["192.0.2.1"])), "0.0.0.0");
  assert.equal(listenAddress(plainLinks(["192.0.2.1", "fd00::1"])), "::");
});
