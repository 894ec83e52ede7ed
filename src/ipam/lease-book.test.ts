import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatCidr, type Range, rangeToCidrs } from "../values/cidr.ts";
import { formatIpv4, parseIpv4 } from "../values/ipv4.ts";
import { addressPlan } from "./address-plan.ts";
import { MAX_RELEASED, REST_MS } from "./free-pool.ts";
import { applyRecord, LeaseBook } from "./lease-book.ts";
import { type LeaseRecord, parseLeaseRecord } from "./lease-record.ts";

const ip = (text: string) => parseIpv4(text) ?? assert.fail(text);
const range = (start: string, end: string): Range => ({ start: ip(start), end: ip(end) });
const text = (ranges: readonly Range[]) =>
  ranges.flatMap((r) => rangeToCidrs(r).map(formatCidr)).join(" ");

function space(ranges: readonly Range[], subnet = "10.32.0.0/12") {
  return { ready: true, subnet, gateway: addressPlan(subnet).range.start + 1, ranges };
}

function bookOf(...ranges: readonly Range[]): LeaseBook {
  const book = new LeaseBook();
  book.setSpace(space(ranges));
  return book;
}

const QUARTER = range("10.40.0.0", "10.42.0.0");
const within = [QUARTER];

test("never-used addresses come lowest first, released ones last and after 60 s", () => {
  const book = bookOf(range("10.40.0.0", "10.40.0.4"));
  const next = (nowMs: number) => {
    const answer = book.request("any", nowMs);
    return answer.ok ? formatIpv4(answer.address) : answer.reason;
  };
  assert.equal(next(0), "10.40.0.0");
  assert.equal(next(0), "10.40.0.1");
  book.release(ip("10.40.0.1"), 10);
  book.release(ip("10.40.0.0"), 20);
  assert.equal(next(30), "10.40.0.2");
  assert.equal(next(30), "10.40.0.3");
  assert.equal(next(40), "no-space");
  assert.deepEqual(book.counts(40), { free: 0, active: 2 });
  assert.equal(next(9 + REST_MS), "no-space");
  assert.deepEqual(book.counts(10 + REST_MS), { free: 1, active: 2 });
  assert.equal(next(10 + REST_MS), "10.40.0.1");
  assert.equal(next(19 + REST_MS), "no-space");
  assert.equal(next(20 + REST_MS), "10.40.0.0");
});

test("a clock that was set back does not keep released addresses for ever", () => {
  const book = bookOf(range("10.40.0.0", "10.40.0.1"));
  book.request("any", 10 ** 9);
  book.release(ip("10.40.0.0"), 10 ** 9);
  assert.equal(book.request("any", 1000).ok, true);
});

test("a request for a certain address says why not", () => {
  const book = bookOf(QUARTER, range("10.33.0.0", "10.34.0.0"));
  const ask = (address: string) => {
    const answer = book.request(ip(address), 0);
    return answer.ok ? "ok" : answer.reason;
  };
  assert.equal(ask("10.33.0.7"), "ok");
  assert.equal(ask("10.33.0.7"), "in-use");
  assert.equal(ask("10.40.0.0"), "ok");
  assert.equal(ask("10.50.0.0"), "outside");
  assert.equal(ask("10.32.0.0"), "reserved");
  assert.equal(ask("10.32.0.1"), "reserved");
  assert.equal(ask("10.47.255.255"), "reserved");
  assert.equal(ask("10.34.0.0"), "not-ours");
  book.setSpace({ ...space([QUARTER]), ready: false });
  assert.equal(ask("10.40.0.0"), "in-use");
  assert.equal(ask("10.40.0.1"), "not-ready");
  assert.deepEqual(book.request("any", 0), { ok: false, reason: "not-ready" });
  assert.deepEqual(new LeaseBook().request("any", 0), { ok: false, reason: "not-ready" });
});

test("the broadcast address is never given, the first dynamic address is", () => {
  const book = bookOf(range("10.47.255.254", "10.48.0.0"));
  assert.equal(book.request("any", 0).ok, true);
  assert.deepEqual(book.request("any", 0), { ok: false, reason: "no-space" });
});

test("release is idempotent and a fixed address can be had again at once", () => {
  const book = bookOf(range("10.33.0.0", "10.33.0.8"));
  const address = ip("10.33.0.3");
  assert.equal(book.request(address, 0).ok, true);
  assert.ok(book.release(address, 1));
  assert.equal(book.release(address, 2), undefined);
  assert.equal(book.request(address, 3).ok, true);
  assert.equal(book.free([address, address, 7], 4).length, 1);
});

test("an idle owner cedes its upper half, with one address in use a quarter, and then another", () => {
  const idle = bookOf(QUARTER);
  assert.equal(text(idle.cede({ kind: "space", within }, 0).ranges), "10.41.0.0/16");
  const book = bookOf(QUARTER);
  book.request("any", 0);
  assert.equal(text(book.cede({ kind: "space", within }, 0).ranges), "10.41.128.0/17");
  assert.equal(text(book.cede({ kind: "space", within }, 0).ranges), "10.40.128.0/17");
  assert.equal(text(book.space?.ranges ?? []), "10.40.0.0/17 10.41.0.0/17");
});

test("space is ceded down to the last address, which stays", () => {
  const book = bookOf(QUARTER);
  let given = 0;
  for (;;) {
    const { ranges, record } = book.cede({ kind: "space", within }, 0);
    if (!record) break;
    given += (ranges[0]?.end ?? 0) - (ranges[0]?.start ?? 0);
  }
  assert.equal(given, 131072 - 1);
  assert.deepEqual(book.counts(0), { free: 1, active: 0 });
});

test("leased and resting addresses are not ceded", () => {
  const book = bookOf(range("10.40.0.0", "10.40.0.4"));
  for (let i = 0; i < 4; i++) book.request("any", 0);
  book.release(ip("10.40.0.2"), 0);
  book.release(ip("10.40.0.3"), 0);
  const give = (nowMs: number) => text(book.cede({ kind: "space", within }, nowMs).ranges);
  assert.equal(give(1), "");
  assert.equal(give(REST_MS), "10.40.0.3/32");
  const address = ip("10.40.0.0");
  assert.deepEqual(book.cede({ kind: "address", address }, 0).ranges, []);
  const ranges = [range("10.40.0.0", "10.40.1.0")];
  assert.deepEqual(book.cede({ kind: "ranges", ranges }, 0).ranges, []);
});

test("a space that shrinks keeps leases, says so, and forgets them when released", () => {
  const book = bookOf(QUARTER);
  book.request(ip("10.41.0.5"), 0);
  book.request(ip("10.41.0.6"), 0);
  book.request("any", 0);
  const { kept } = book.setSpace(space([range("10.40.0.0", "10.41.0.0")]));
  assert.equal(text(kept), "10.41.0.5/32 10.41.0.6/32");
  book.release(ip("10.41.0.5"), 1);
  assert.equal(text(book.kept()), "10.41.0.6/32");
  assert.deepEqual(book.request(ip("10.41.0.5"), 1), { ok: false, reason: "not-ours" });
  assert.equal(book.setSpace(space([range("10.40.0.0", "10.41.0.0")])).record, undefined);
});

test("setting the space again gives back what was ceded", () => {
  const book = bookOf(QUARTER);
  book.cede({ kind: "space", within }, 0);
  assert.equal(book.counts(0).free, 65536);
  assert.ok(book.setSpace(space([QUARTER])).record);
  assert.equal(book.counts(0).free, 131072);
});

const MINI = "192.168.16.0/20";
const MINI_DYNAMIC = addressPlan(MINI).dynamic;

test("a book never gives one address twice, and its journal replays to the same book", () => {
  const start = MINI_DYNAMIC.start;
  const command = fc.oneof(
    { weight: 6, arbitrary: fc.record({ op: fc.constant("any" as const) }) },
    fc.record({ op: fc.constantFrom("take" as const, "release" as const), at: fc.nat(40) }),
    fc.record({
      op: fc.constantFrom("space" as const, "cede" as const, "cede-ranges" as const),
      area: fc.record({ at: fc.nat(40), size: fc.nat(40) }),
    }),
    fc.record({ op: fc.constant("wait" as const), ms: fc.nat(REST_MS) }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
      const book = new LeaseBook();
      const journal: LeaseRecord[] = [];
      const held = new Set<number>();
      let nowMs = 0;
      const note = (record: LeaseRecord | undefined) => record && journal.push(record);
      note(book.setSpace(space([{ start, end: start + 16 }], MINI)).record);
      for (const command of commands) {
        if ("area" in command) {
          const { at, size } = command.area;
          const ranges = [{ start: start + at, end: start + at + size }];
          if (command.op === "space") note(book.setSpace(space(ranges, MINI)).record);
          else if (command.op === "cede") {
            const { ranges: given, record } = book.cede({ kind: "space", within: ranges }, nowMs);
            for (const r of given) for (const a of held) assert.ok(a < r.start || a >= r.end);
            note(record);
          } else note(book.cede({ kind: "ranges", ranges }, nowMs).record);
        } else if (command.op === "wait") {
          nowMs += command.ms;
        } else if (command.op === "release") {
          note(book.release(start + command.at, nowMs));
          held.delete(start + command.at);
        } else {
          const wanted = "at" in command ? start + command.at : "any";
          const answer = book.request(wanted, nowMs);
          if (!answer.ok) continue;
          assert.ok(!held.has(answer.address), "given twice");
          held.add(answer.address);
          note(answer.record);
        }
      }
      assert.deepEqual([...book.leases.keys()].sort(), [...held].sort());
      const copy = new LeaseBook();
      for (const record of journal) {
        const line = parseLeaseRecord(JSON.parse(JSON.stringify(record)));
        applyRecord(copy, line ?? assert.fail("record does not parse"));
      }
      assert.deepEqual(copy.snapshot(), book.snapshot());
      const restored = LeaseBook.restore(JSON.parse(JSON.stringify(book.snapshot())));
      assert.deepEqual(restored?.snapshot(), book.snapshot());
      assert.deepEqual(restored?.counts(nowMs), book.counts(nowMs));
    }),
    { numRuns: 300 },
  );
});

test("damaged snapshots and records are refused", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.equal(parseLeaseRecord(value), undefined);
      assert.equal(LeaseBook.restore(value), undefined);
    }),
    { numRuns: 300 },
  );
  const snapshot = { format: 1, leases: [], released: [] };
  const tooSmall = { ...space([]), subnet: "10.0.0.0/30" };
  assert.equal(LeaseBook.restore({ ...snapshot, space: tooSmall }), undefined);
  assert.ok(LeaseBook.restore({ ...snapshot, space: space([]) }));
});

test("the memory of released addresses is bounded", () => {
  const book = bookOf(QUARTER);
  for (let i = 0; i < MAX_RELEASED + 10; i++) {
    const answer = book.request("any", i * 100);
    if (answer.ok) book.release(answer.address, i * 100);
  }
  assert.equal(book.snapshot().released.length, MAX_RELEASED);
  assert.deepEqual(book.counts(10 ** 9), { free: 131072, active: 0 });
});
