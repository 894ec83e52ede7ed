import assert from "node:assert/strict";
import { test } from "node:test";
import { isHansaError } from "../errors.ts";
import { formatIpv4, parseIpv4 } from "../values/ipv4.ts";
import { addressPlan, kindOf, nodeAddress, nodeIdOf, ringOf } from "./address-plan.ts";

const ip = (text: string) => parseIpv4(text) ?? assert.fail(text);

test("the default subnet has all ids, 7/16 fixed and its upper half dynamic", () => {
  const plan = addressPlan();
  assert.equal(plan.maxNodeId, 65535);
  assert.equal(formatIpv4(nodeAddress(plan, 1)), "10.32.0.1");
  assert.equal(formatIpv4(nodeAddress(plan, 65535)), "10.32.255.255");
  assert.equal(nodeIdOf(plan, ip("10.32.1.2")), 258);
  assert.equal(nodeIdOf(plan, ip("10.33.0.0")), undefined);
  assert.equal(formatIpv4(plan.fixed.start), "10.33.0.0");
  assert.equal(formatIpv4(plan.dynamic.start), "10.40.0.0");
  assert.equal(formatIpv4(plan.dynamic.end), "10.48.0.0");
});

test("kindOf knows the edges of each part", () => {
  const plan = addressPlan();
  const kinds = {
    "10.31.255.255": "outside",
    "10.32.0.0": "network",
    "10.32.0.1": "node",
    "10.32.255.255": "node",
    "10.33.0.0": "fixed",
    "10.39.255.255": "fixed",
    "10.40.0.0": "dynamic",
    "10.47.255.254": "dynamic",
    "10.47.255.255": "broadcast",
    "10.48.0.0": "outside",
  };
  for (const [text, kind] of Object.entries(kinds))
    assert.equal(kindOf(plan, ip(text)), kind, text);
  assert.equal(ringOf(plan, ip("10.33.0.0")), "fixed");
  assert.equal(ringOf(plan, ip("10.47.255.255")), "dynamic");
  assert.equal(ringOf(plan, ip("10.32.0.1")), undefined);
});

test("a smaller subnet limits the ids, by an error that says to which", () => {
  const plan = addressPlan("192.168.16.0/20");
  assert.equal(plan.maxNodeId, 255);
  assert.equal(formatIpv4(nodeAddress(plan, 255)), "192.168.16.255");
  assert.throws(
    () => nodeAddress(plan, 256),
    (error: unknown) =>
      isHansaError(error, "IPAM_ID_OUTSIDE_SUBNET") && /1 to 255/.test(error.message),
  );
});

test("each allowed prefix divides evenly", () => {
  for (let prefix = 8; prefix <= 20; prefix++) {
    const plan = addressPlan(`10.0.0.0/${prefix}`);
    assert.equal(plan.nodes.end, plan.fixed.start);
    assert.equal(plan.fixed.end, plan.dynamic.start);
    assert.equal((plan.fixed.end - plan.fixed.start) % 4, 0);
    assert.equal((plan.dynamic.end - plan.dynamic.start) * 2, plan.range.end - plan.range.start);
  }
});

test("subnets that cannot be used are refused", () => {
  const bad = ["", "10.32.0.0", "10.32.0.1/12", "10.0.0.0/7", "10.0.0.0/21", "127.0.0.0/8"];
  for (const text of [...bad, "224.0.0.0/12", "169.254.0.0/16", "0.0.0.0/8"]) {
    assert.throws(
      () => addressPlan(text),
      (error: unknown) => isHansaError(error, "IPAM_SUBNET_INVALID"),
      text,
    );
  }
});
