import assert from "node:assert/strict";
import { test } from "node:test";
import { brokenPackets, routeMtu } from "./kernel-text.ts";

test("broken packets of TCP and UDP are summed, whatever columns stand before them", () => {
  const text = `Ip: Forwarding InDiscards
Ip: 1 0
Tcp: RtoMin InErrs InCsumErrors
Tcp: 200 9 3
Udp: InDatagrams InCsumErrors IgnoredMulti
Udp: 7 4 0
UdpLite: InDatagrams InCsumErrors
UdpLite: 0 99
`;
  assert.equal(brokenPackets(text), 7);
  assert.equal(brokenPackets(""), 0);
  assert.equal(brokenPackets("Tcp: A\nTcp: 1\n"), 0);
});

test("the MTU of a path is seen where the kernel learnt it or a route sets it", () => {
  const line = "192.168.48.12 dev eth0 src 192.168.48.11 uid 0 \n    cache";
  assert.equal(routeMtu(`${line} \n`), undefined);
  assert.equal(routeMtu(`${line} expires 590sec mtu 1400 \n`), 1400);
  assert.equal(routeMtu(`${line} mtu lock 1300`), 1300);
});
