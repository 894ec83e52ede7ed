import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { isHansaError } from "../errors.ts";
import { silentLogger } from "../host/logger.ts";
import { LeaseJournal, type LeaseJournalOptions } from "./lease-journal.ts";

const SPACE = {
  ready: true,
  subnet: "10.32.0.0/12",
  gateway: 0x0a200001,
  ranges: [{ start: 0x0a280000, end: 0x0a280100 }],
};

function withDirectory(work: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), "hansa-journal-"));
  try {
    work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function open(directory: string, options: Partial<LeaseJournalOptions> = {}): LeaseJournal {
  return new LeaseJournal(directory, { logger: silentLogger, ...options });
}

function giveSpace(journal: LeaseJournal): void {
  const { record } = journal.book.setSpace(SPACE);
  if (record) journal.append([record], true);
}

function lease(journal: LeaseJournal, nowMs: number): number {
  const answer = journal.book.request("any", nowMs);
  assert.ok(answer.ok);
  journal.append([answer.record], false);
  return answer.address;
}

function release(journal: LeaseJournal, address: number, nowMs: number): void {
  const record = journal.book.release(address, nowMs);
  if (record) journal.append([record], false);
}

test("a journal opened again holds the same book and epoch", () => {
  withDirectory((directory) => {
    const journal = open(directory);
    giveSpace(journal);
    const first = lease(journal, 1000);
    lease(journal, 1001);
    release(journal, first, 1002);
    const { ranges, record } = journal.book.cede({ kind: "space", within: SPACE.ranges }, 1003);
    assert.ok(record && ranges.length === 1);
    journal.append([record], true);
    const before = journal.book.snapshot();
    journal.close();
    const again = open(directory);
    assert.deepEqual(again.book.snapshot(), before);
    assert.equal(again.epoch, journal.epoch);
    again.close();
  });
});

test("a file torn at any byte holds what was whole, and is written on from there", () => {
  withDirectory((directory) => {
    const journal = open(directory);
    giveSpace(journal);
    const base = readFileSync(journal.path).length;
    const snapshots = [{ size: base, book: journal.book.snapshot() }];
    for (let index = 0; index < 5; index++) {
      lease(journal, 1000 + index);
      snapshots.push({ size: readFileSync(journal.path).length, book: journal.book.snapshot() });
    }
    journal.close();
    const whole = readFileSync(journal.path);
    for (let size = base; size <= whole.length; size++) {
      writeFileSync(journal.path, whole.subarray(0, size));
      const torn = open(directory);
      const expected = snapshots.filter((each) => each.size <= size).at(-1);
      assert.deepEqual(torn.book.snapshot(), expected?.book, `cut at ${size}`);
      lease(torn, 2000);
      const after = torn.book.snapshot();
      torn.close();
      const again = open(directory);
      assert.deepEqual(again.book.snapshot(), after);
      again.close();
    }
  });
});

test("a damaged record in the middle: the others are kept, nothing is given, the file is set aside", () => {
  withDirectory((directory) => {
    const journal = open(directory);
    giveSpace(journal);
    const first = lease(journal, 1000);
    const size = readFileSync(journal.path).length;
    lease(journal, 1001);
    const third = lease(journal, 1002);
    journal.close();
    const bytes = readFileSync(journal.path);
    bytes[size + 20] = (bytes[size + 20] ?? 0) ^ 1;
    writeFileSync(journal.path, bytes);
    const again = open(directory);
    assert.deepEqual([...again.book.leases.keys()], [first, third]);
    assert.deepEqual(again.book.request("any", 2000), { ok: false, reason: "not-ready" });
    assert.deepEqual(readFileSync(`${again.path}.damaged`), bytes);
    giveSpace(again);
    assert.ok(again.book.request("any", 2001).ok);
    again.close();
  });
});

test("arbitrary bytes behind the head never throw and never give an address twice", () => {
  withDirectory((directory) => {
    const journal = open(directory);
    giveSpace(journal);
    lease(journal, 1000);
    journal.close();
    const kept = join(directory, "kept");
    copyFileSync(journal.path, kept);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
        writeFileSync(journal.path, Buffer.concat([readFileSync(kept), garbage]));
        const again = open(directory);
        assert.equal(again.book.leases.size, 1);
        const answer = again.book.request("any", 2000);
        assert.ok(answer.ok && answer.address === SPACE.ranges[0]!.start + 1);
        again.close();
      }),
      { numRuns: 100 },
    );
  });
});

test("a file that does not begin as ours is refused and left alone", () => {
  for (const text of ["", "hansa-leases 2 x\n", "garbage\n", "hansa-leases 1 \n\n"]) {
    withDirectory((directory) => {
      writeFileSync(join(directory, "leases.log"), text);
      assert.throws(
        () => open(directory),
        (error) => isHansaError(error, "STATE_DAMAGED"),
      );
      assert.equal(readFileSync(join(directory, "leases.log"), "utf8"), text);
    });
  }
});

test("the file stays short, and loses nothing by it", () => {
  withDirectory((directory) => {
    const journal = open(directory, { compactAbove: 50 });
    giveSpace(journal);
    const kept = lease(journal, 0);
    for (let index = 1; index < 500; index++) {
      const nowMs = index * 100_000;
      release(journal, lease(journal, nowMs), nowMs);
    }
    const lines = readFileSync(journal.path, "utf8").split("\n").length;
    assert.ok(lines < 60, `${lines} lines`);
    const before = journal.book.snapshot();
    assert.ok(journal.book.leases.has(kept));
    journal.close();
    const again = open(directory);
    assert.deepEqual(again.book.snapshot(), before);
    again.close();
  });
});

test("on a full disk an append throws and changes nothing, and works again when there is room", () => {
  withDirectory((directory) => {
    let room = Number.POSITIVE_INFINITY;
    const write = (file: number, bytes: Uint8Array): number => {
      if (room === 0) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      return writeSync(file, bytes, 0, Math.min(room, bytes.length));
    };
    const journal = open(directory, { write });
    giveSpace(journal);
    lease(journal, 1000);
    const before = journal.book.snapshot();
    for (const left of [0, 1, 10, 40]) {
      room = left;
      assert.throws(
        () => lease(journal, 1001),
        (error) => isHansaError(error, "STATE_UNWRITABLE") && error.message.includes(journal.path),
      );
      assert.deepEqual(journal.book.snapshot(), before);
    }
    room = Number.POSITIVE_INFINITY;
    lease(journal, 1002);
    const after = journal.book.snapshot();
    journal.close();
    const again = open(directory);
    assert.deepEqual(again.book.snapshot(), after);
    again.close();
  });
});

test("a record that reached the file before the disk failed is taken back", () => {
  withDirectory((directory) => {
    let broken = false;
    const write = (file: number, bytes: Uint8Array): number => {
      const written = writeSync(file, bytes);
      if (broken) throw Object.assign(new Error("i/o error"), { code: "EIO" });
      return written;
    };
    const journal = open(directory, { write });
    giveSpace(journal);
    const before = journal.book.snapshot();
    broken = true;
    assert.throws(
      () => lease(journal, 1001),
      (error) => isHansaError(error, "STATE_UNWRITABLE"),
    );
    assert.deepEqual(journal.book.snapshot(), before);
    journal.close();
  });
});

test("a directory that cannot be written is STATE_UNWRITABLE, and leaves nothing", () => {
  withDirectory((directory) => {
    const file = join(directory, "file");
    writeFileSync(file, "");
    assert.throws(
      () => open(join(file, "state")),
      (error) => isHansaError(error, "STATE_UNWRITABLE"),
    );
    assert.ok(!existsSync(join(file, "state")));
  });
});
