import assert from "node:assert/strict";
import { test } from "node:test";
import { overlayMtu } from "./mtu.ts";

const TABLE: readonly (readonly [number, readonly string[], number])[] = [
  [1500, [], 1440],
  [1500, ["192.0.2.1"], 1440],
  [1500, ["192.0.2.1", "2001:db8::1"], 1420],
  [1400, ["192.0.2.1"], 1340],
  [9000, ["192.0.2.1"], 8940],
  [1280, ["2001:db8::1"], 1200],
  [600, [], 576],
  [65536, [], 65000],
];

test("VXLAN takes 50 bytes over IPv4 and 70 over IPv6", () => {
  assert.equal(overlayMtu("vxlan", 1500, ["192.0.2.1"]), 1450);
  assert.equal(overlayMtu("vxlan", 1500, ["2001:db8::1"]), 1430);
  assert.equal(overlayMtu("vxlan", 9000, []), 8950);
});

test("the overlay's MTU is the underlay's less what WireGuard adds, within bounds", () => {
  for (const [link, endpoints, mtu] of TABLE)
    assert.equal(overlayMtu("wireguard", link, endpoints), mtu);
});
