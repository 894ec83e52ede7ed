import assert from "node:assert/strict";
import { test } from "node:test";
import { alive, hear, machine } from "./lone-machine.ts";
import type { Membership } from "./machine.ts";
import type { MembershipOutput } from "./step.ts";

/** Runs a machine among members that answer all, `joinEveryMs` one more; returns the push/pulls that it began from `fromMs` on. */
function syncs(member: Membership, joinEveryMs: number, fromMs: number, endMs: number): number {
  let [nowMs, joinMs, joined, begun] = [0, joinEveryMs, 200, 0];
  while (nowMs < endMs) {
    nowMs = Math.max(nowMs, Math.min(member.nextTickMs(), joinMs));
    const outputs: MembershipOutput[] = [...member.handle({ type: "tick" }, nowMs)];
    if (nowMs >= joinMs) {
      joinMs += joinEveryMs;
      outputs.push(...hear(member, joiner(joined++), nowMs));
    }
    for (let index = 0; index < outputs.length; index++) {
      const output = outputs[index]!;
      if (output.type === "sync" && nowMs >= fromMs) begun++;
      if (output.type !== "packet") continue;
      for (const message of output.messages) {
        if (message.type !== "ping") continue;
        const ack = { type: "ack", seq: message.seq, payload: new Uint8Array() } as const;
        outputs.push(...hear(member, ack, nowMs, output.to));
      }
    }
  }
  return begun;
}

function joiner(number: number) {
  const endpoint = { ip: `10.1.${number >> 8}.${number & 255}`, port: 6783 };
  return { ...alive(`n${number}`, 2), endpoint };
}

function among(count: number): Membership {
  const member = machine();
  for (let number = 0; number < count; number++) hear(member, joiner(number));
  return member;
}

test("after growth a few push/pulls follow, and then only the rounds", () => {
  const begun = syncs(among(200), Number.POSITIVE_INFINITY, 0, 15_000);
  assert.ok(begun === 3 || begun === 4, `${begun}`);
  assert.ok(syncs(among(200), Number.POSITIVE_INFINITY, 60_000, 660_000) <= 6);
});

test("a trickle of newcomers does not keep push/pulls up for ever", () => {
  const begun = syncs(among(200), 1_000, 60_000, 180_000);
  assert.ok(begun < 30, `${begun} in two minutes`);
});
