import assert from "node:assert/strict";
import { test } from "node:test";
import { announcedAddress, type Interfaces, interfaceOf, ownAddresses } from "./underlay.ts";

const entry = (address: string, prefix: number, internal = false) => ({
  address,
  netmask: "",
  family: "IPv4" as const,
  mac: "",
  internal,
  cidr: `${address}/${prefix}`,
});
const interfaces: Interfaces = {
  lo: [entry("127.0.0.1", 8, true)],
  docker0: [entry("172.17.0.1", 16)],
  hansa0: [entry("10.32.0.1", 12)],
  eth0: [entry("192.168.48.11", 24)],
  eth1: [entry("192.168.49.11", 24)],
};
const overlay = { base: 0x0a200000, prefix: 12 };

test("the address in a target's network is announced", () => {
  assert.equal(announcedAddress(interfaces, ["192.168.49.12"], overlay), "192.168.49.11");
});

test("without targets the first real interface's is", () => {
  assert.equal(announcedAddress(interfaces, [], overlay), "192.168.48.11");
  assert.equal(announcedAddress(interfaces, ["192.168.48.11"], overlay), "192.168.48.11");
});

test("addresses of bridges, loopback and the overlay itself are never announced", () => {
  const { eth0, eth1, ...rest } = interfaces;
  assert.equal(announcedAddress(rest, ["172.17.0.2"], overlay), undefined);
  assert.equal(
    announcedAddress({ ...rest, ens3: [entry("10.40.0.9", 24)] }, [], overlay),
    undefined,
  );
});

test("own addresses and the interface of one are found", () => {
  assert.ok(ownAddresses(interfaces).has("127.0.0.1"));
  assert.equal(interfaceOf(interfaces, "192.168.49.11"), "eth1");
});
