import assert from "node:assert/strict";
import { test } from "node:test";
import type { Endpoint } from "../values/endpoint.ts";
import { alive, at, hear, machine } from "./lone-machine.ts";
import type { Membership } from "./machine.ts";
import type { Message } from "./message.ts";
import type { MembershipOutput } from "./step.ts";
import { deadProbeIntervalMs, LAN_TIMING } from "./timing.ts";

interface Answer {
  readonly atMs: number;
  readonly from: Endpoint;
  readonly seq: number;
}

/** Among n2 … n9, which answer a ping after `rttMs`, from `fromMs` to `endMs`: how often the machine asked others to ping. */
function asked(
  member: Membership,
  rttMs: (node: string, nowMs: number) => number,
  fromMs: number,
  endMs: number,
): number {
  for (let number = 2; number < 10; number++) hear(member, alive(`n${number}`, number));
  const answers: Answer[] = [];
  let [nowMs, count] = [0, 0];
  while (nowMs < endMs) {
    answers.sort((a, b) => a.atMs - b.atMs);
    const next = answers[0];
    nowMs = Math.max(nowMs, Math.min(member.nextTickMs(), next?.atMs ?? Infinity));
    let outputs: MembershipOutput[];
    if (next !== undefined && next.atMs <= nowMs) {
      answers.shift();
      const ack = { type: "ack", seq: next.seq, payload: new Uint8Array() } as const;
      outputs = hear(member, ack, nowMs, next.from);
    } else outputs = member.handle({ type: "tick" }, nowMs);
    for (const output of outputs) {
      if (output.type !== "packet") continue;
      for (const message of output.messages) {
        if (isAsking(message) && nowMs >= fromMs) count++;
        if (message.type !== "ping") continue;
        const atMs = nowMs + rttMs(message.node, nowMs);
        answers.push({ atMs, from: output.to, seq: message.seq });
      }
    }
  }
  return count;
}

function isAsking({ type }: Message): boolean {
  return type === "indirectPing";
}

test("a member far away among near ones is pinged directly, once its round trip is known", () => {
  const member = machine();
  const far = (node: string) => (node === "n2" ? 250 : 2);
  assert.equal(asked(member, far, 60_000, 600_000), 0);
  assert.equal(member.member("n2")?.rttMs, 250);
  assert.equal(member.member("n3")?.rttMs, 2);
});

test("when all become slower the timeout follows", () => {
  const slower = (_: string, nowMs: number) => (nowMs < 60_000 ? 2 : 260);
  assert.equal(asked(machine(), slower, 100_000, 600_000), 0);
});

test("an answer to the second ping is not taken for a late one to the first", () => {
  const member = machine();
  let pings = 0;
  // Every third ping is lost.
  const lossy = () => (++pings % 3 === 0 ? Number.POSITIVE_INFINITY : 5);
  asked(member, lossy, 0, 300_000);
  for (let number = 2; number < 10; number++) {
    assert.equal(member.member(`n${number}`)?.rttMs, 5, at(number).ip);
  }
});

test("beyond 256 members all together ping the dead no more often", () => {
  const perSecond = (n: number) => (n / deadProbeIntervalMs(LAN_TIMING, n)) * 1_000;
  assert.equal(deadProbeIntervalMs(LAN_TIMING, 3), 5_000);
  assert.equal(perSecond(10_000), perSecond(256));
});

/** Pings of a member with three others, all of which answer, in 30 s of beats where `isBeat` says so. */
function pingsWith(isBeat: (nowMs: number) => boolean): number[] {
  const member = machine();
  for (let number = 2; number < 5; number++) hear(member, alive(`n${number}`, number));
  const pings: number[] = [];
  const feed = (type: "tick" | "beat", nowMs: number): void => {
    for (const output of member.handle({ type }, nowMs)) {
      if (output.type !== "packet") continue;
      for (const message of output.messages) {
        if (message.type !== "ping") continue;
        pings.push(nowMs);
        const ack = { type: "ack", seq: message.seq, payload: new Uint8Array() } as const;
        hear(member, ack, nowMs, output.to);
      }
    }
  };
  for (let nowMs = 1; nowMs <= 30_000; nowMs += 1) {
    if (isBeat(nowMs)) feed("beat", nowMs);
    if (member.nextTickMs() <= nowMs) feed("tick", nowMs);
  }
  return pings;
}

test("probes go with the host's beat, one an interval, and by themselves where it stops", () => {
  // As it is: never quite punctual, for a while three times as fast, and away in the end.
  const pings = pingsWith((nowMs) =>
    nowMs < 10_000 ? nowMs % 1_003 === 0 : nowMs < 20_000 && nowMs % 333 === 0,
  );
  const between = (from: number, to: number) => pings.filter((at) => at >= from && at < to);
  assert.ok(between(3_000, 10_000).every((at) => at % 1_003 === 0));
  assert.equal(between(3_000, 10_000).length, 7);
  assert.ok(between(10_000, 20_000).length <= 11);
  assert.ok(between(21_000, 30_000).length >= 8);
});

test("after a beat that came late the probes find it again", () => {
  for (const lateMs of [30, 100, 300]) {
    const isBeat = (nowMs: number) => (nowMs < 5_000 ? nowMs : nowMs - lateMs) % 1_003 === 0;
    const pings = pingsWith(isBeat);
    const between = (from: number, to: number) => pings.filter((at) => at >= from && at < to);
    assert.ok(between(22_000, 30_000).every(isBeat), `${lateMs} ms late`);
    assert.ok(between(5_000, 30_000).length >= 24, `${lateMs} ms late`);
  }
});

test("a slower beat makes no more probes", () => {
  for (const everyMs of [1_100, 1_300, 1_500, 1_700]) {
    const { length } = pingsWith((nowMs) => nowMs % everyMs === 0);
    assert.ok(length >= 28 && length <= 33, `${length} with a beat each ${everyMs} ms`);
  }
});

test("a member that left does not probe, whatever beats", () => {
  const member = machine();
  for (let number = 2; number < 5; number++) hear(member, alive(`n${number}`, number));
  member.handle({ type: "leave" }, 10);
  const outputs = [1_000, 2_000, 3_000].flatMap((nowMs) => member.handle({ type: "beat" }, nowMs));
  const kinds = outputs.flatMap((output) =>
    output.type === "packet" ? output.messages.map(({ type }) => type) : [],
  );
  assert.equal(kinds.includes("ping"), false);
});
