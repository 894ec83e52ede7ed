import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addressPlan } from "./address-plan.ts";
import { decodeIpamMessage, encodeIpamMessage } from "./message-codec.ts";
import type { IpamMessage } from "./step.ts";

const plan = addressPlan();
const request = 4_000_000_000;

test("each message comes back as it was sent", () => {
  const { start } = plan.dynamic;
  const messages: IpamMessage[] = [
    { type: "ask-space", request },
    { type: "ask-address", request, address: plan.fixed.start + 7 },
    { type: "refused", request, reason: "none-free" },
    { type: "refused", request, reason: "not-ready" },
    {
      type: "granted",
      request,
      entries: [{ start, end: start + 256, owner: 5, version: 3, free: 256 }],
    },
  ];
  for (const message of messages) {
    assert.deepEqual(decodeIpamMessage(plan, encodeIpamMessage(plan, message)), message);
  }
});

test("hostile bytes decode to nothing and never throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      decodeIpamMessage(plan, bytes);
      decodeIpamMessage(plan, Uint8Array.from([1, 3, ...bytes]));
    }),
  );
  assert.equal(decodeIpamMessage(plan, Uint8Array.of(1, 2, 0, 0, 0, 1, 10, 33)), undefined);
  assert.equal(decodeIpamMessage(plan, Uint8Array.of(1, 4, 0, 0, 0, 1, 9)), undefined);
});
