import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seeded } from "../values/seeded-random.ts";
import { deafTo, NO_IMPAIRMENTS, rulesOf, withCut, withDelay } from "./impairment.ts";
import { hostsFile, portName } from "./layout.ts";
import { tableOf } from "./listing.ts";

test("a split makes hosts deaf to other groups, both ways, and spares hosts in no group", () => {
  const parted = { ...NO_IMPAIRMENTS, groups: [[1, 2], [3]] };
  assert.deepEqual(deafTo(1, 4, parted), [3]);
  assert.deepEqual(deafTo(3, 4, parted), [1, 2]);
  assert.deepEqual(deafTo(4, 4, parted), []);
});

test("a split is symmetric whatever the groups are", () => {
  const groups = fc.array(fc.array(fc.integer({ min: 1, max: 6 })), { maxLength: 4 });
  fc.assert(
    fc.property(groups, (parts) => {
      const parted = { ...NO_IMPAIRMENTS, groups: parts };
      for (let i = 1; i <= 6; i += 1) {
        for (const j of deafTo(i, 6, parted)) assert.ok(deafTo(j, 6, parted).includes(i));
      }
    }),
  );
});

test("a one-way loss is seen by the receiver only", () => {
  const oneway = { ...NO_IMPAIRMENTS, oneways: [{ from: 1, to: 2 }] };
  assert.deepEqual(deafTo(2, 2, oneway), [1]);
  assert.deepEqual(deafTo(1, 2, oneway), []);
});

test("a one-way loss of one port is a rule of the receiver, for that port only", () => {
  const only = { protocol: "udp" as const, port: 6784 };
  const oneway = { ...NO_IMPAIRMENTS, oneways: [{ from: 1, to: 2, only }] };
  assert.deepEqual(deafTo(2, 2, oneway), []);
  assert.match(rulesOf(2, 2, 1, oneway), /ip saddr \{ 192\.168\.48\.11 \} udp dport 6784 drop/);
  assert.doesNotMatch(rulesOf(1, 2, 1, oneway), /drop/);
});

test("rules without impairments only remove our table", () => {
  assert.equal(
    rulesOf(1, 3, 2, NO_IMPAIRMENTS),
    "add table inet hansa_playground\ndelete table inet hansa_playground\n",
  );
});

test("rules name every address of every link, and a block both directions of its port", () => {
  const blocks = [{ a: 1, b: 2, protocol: "udp" as const, port: 6784 }];
  const rules = rulesOf(2, 3, 2, { ...NO_IMPAIRMENTS, groups: [[1, 2], [3]], blocks });
  assert.match(rules, /ip saddr \{ 192\.168\.48\.13, 192\.168\.49\.13 \} drop/);
  assert.match(rules, /ether saddr \{ 02:48:50:47:00:03, 02:48:50:47:01:03 \} drop/);
  assert.match(rules, /ip saddr \{ 192\.168\.48\.11, 192\.168\.49\.11 \} udp dport 6784 drop/);
  assert.match(rules, /ip saddr \{ 192\.168\.48\.11, 192\.168\.49\.11 \} udp sport 6784 drop/);
  assert.doesNotMatch(rulesOf(3, 3, 2, { ...NO_IMPAIRMENTS, blocks }), /drop/);
});

test("cutting twice and mending once leaves nothing cut", () => {
  const cut = { host: 1, link: undefined, links: 2 };
  const once = withCut(NO_IMPAIRMENTS, { ...cut, link: 1 }, true);
  const all = withCut(once, cut, true);
  assert.deepEqual(all.cuts, [
    { host: 1, link: 0 },
    { host: 1, link: 1 },
  ]);
  assert.deepEqual(withCut(all, cut, false), NO_IMPAIRMENTS);
});

test("a pair has one delay, in whichever order it is named, and 0 ends it", () => {
  const first = withDelay(NO_IMPAIRMENTS, { a: 1, b: 2, ms: 50, loss: 0 });
  const second = withDelay(first, { a: 2, b: 1, ms: 5, loss: 1 });
  assert.deepEqual(second.delays, [{ a: 2, b: 1, ms: 5, loss: 1 }]);
  assert.deepEqual(withDelay(second, { a: 1, b: 2, ms: 0, loss: 0 }), NO_IMPAIRMENTS);
});

test("interface names fit the kernel's 15 bytes for the longest name and numbers", () => {
  assert.ok(portName("abcdefgh", 20, 7).length <= 15);
});

test("the hosts file names every host on every link", () => {
  const file = hostsFile(2, 2);
  for (const line of ["192.168.48.11 host1", "192.168.49.12 host2-b"]) {
    assert.ok(file.includes(`\n${line}\n`));
  }
});

test("the listing shows hosts, cut links and what is wrong between them", () => {
  const addresses = ["192.168.48.11", "192.168.49.11"];
  const hosts = [
    { host: 1, name: "host1", state: "on" as const, pid: 77, addresses, cut: [1] },
    { host: 2, name: "host2", state: "off" as const, pid: null, addresses, cut: [] },
  ];
  const impairments = {
    ...NO_IMPAIRMENTS,
    groups: [[1], [2]],
    delays: [{ a: 1, b: 2, ms: 5, loss: 1 }],
  };
  assert.equal(
    tableOf({ name: "hpg", hosts, impairments }),
    [
      "HOST   STATE  PID  ADDRESSES",
      "host1  on     77   192.168.48.11, 192.168.49.11 (cut)",
      "host2  off    -    192.168.48.11, 192.168.49.11",
      "split: 1 | 2",
      "delayed: host1 and host2 by 5 ms each way, 1 % lost",
      "",
    ].join("\n"),
  );
});

test("one seed loses the same packets, about as many as asked for", () => {
  const [random, again] = [seeded(7), seeded(7)];
  const drawn = Array.from({ length: 10_000 }, () => random());
  assert.deepEqual(
    drawn.slice(0, 100),
    Array.from({ length: 100 }, () => again()),
  );
  const lost = drawn.filter((value) => value * 100 < 20).length;
  assert.ok(lost > 1_800 && lost < 2_200, `${lost} of 10000`);
});
