import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { encodeRecords } from "../../certificates/certificate-record.ts";
import { isHansaError } from "../../errors.ts";
import { ManualClock } from "../../host/clock.ts";
import { silentLogger } from "../../host/logger.ts";
import { CertificateBook } from "./certificate-book.ts";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "hansa-book-"));
});
after(() => rmSync(folder, { recursive: true }));

interface Node {
  readonly book: CertificateBook;
  readonly clock: ManualClock;
  readonly path: string;
  /** What it gossips. */
  readonly told: Uint8Array[];
  revoked: number;
}

async function node(id: number, wallMs = Date.UTC(2026, 0, 2)): Promise<Node> {
  const path = join(folder, `${id}.json`);
  const clock = new ManualClock(wallMs);
  const told: Uint8Array[] = [];
  const state = { clock, path, told, revoked: 0 };
  const book = await CertificateBook.load({
    ...{ path, self: id, clock, logger: silentLogger },
    tell: (_key, body) => told.push(body),
    revoked: () => {
      made.revoked += 1;
    },
  });
  const made: Node = Object.assign(state, { book });
  return made;
}

function issue(to: Node, name: string, by = "local"): string {
  const serial = to.book.serialFor(name);
  to.book.noteIssued(serial, { name, role: "admin", days: 30 }, by);
  return serial;
}

const ofHolder = (name: string, serial: string) => ({ name, serial, role: "admin" as const });

test("what one node made and another one calls back is refused by all, also after a restart", async () => {
  const [one, two] = [await node(1), await node(2)];
  const [lost, kept] = [issue(one, "ada"), issue(one, "ada")];
  two.book.take(one.book.encoded());
  const answer = two.book.revoke({ serial: lost }, "root");
  assert.deepEqual(
    answer.revoked.map(({ serial, name, node, madeBy }) => [serial, name, node, madeBy]),
    [[lost, "ada", 1, "local"]],
  );
  for (const body of two.told) one.book.take(body);
  assert.ok(one.revoked > 0);
  const again = await node(1);
  for (const { book } of [one, two, again]) {
    assert.equal(
      book.revocationOf(ofHolder("ada", lost)),
      "the certificate of ada was revoked at 2026-01-02T00:00:00.000Z by root",
    );
    assert.equal(book.revocationOf(ofHolder("ada", kept)), undefined);
  }
  assert.equal(statSync(one.path).mode & 0o777, 0o600);
});

test("who heard it already passes it on no more", async () => {
  const [one, two] = [await node(11), await node(12)];
  issue(one, "ada");
  one.book.revoke({ name: "ada" }, "local");
  two.book.take(one.book.encoded());
  const told = two.told.length;
  assert.ok(told > 0);
  two.book.take(one.book.encoded());
  for (const body of one.told) two.book.take(body);
  two.book.take(Uint8Array.of(1, 2, 3));
  assert.equal(two.told.length, told);
});

test("by name also a serial that nobody remembers; one made afterwards is good, by a node whose clock is behind too", async () => {
  const [one, two] = [await node(21), await node(22, Date.UTC(2025, 5, 1))];
  const forgotten = one.book.serialFor("ada");
  const old = "5f".repeat(16);
  const { revoked } = one.book.revoke({ name: "ada" }, "local");
  assert.deepEqual(revoked, []);
  two.book.take(one.book.encoded());
  for (const serial of [forgotten, old]) {
    assert.ok(two.book.revocationOf(ofHolder("ada", serial)), serial);
  }
  assert.equal(two.book.revocationOf({ name: "ada", role: "node", serial: old }), undefined);
  const next = issue(two, "ada");
  one.book.take(two.book.encoded());
  assert.equal(one.book.revocationOf(ofHolder("ada", next)), undefined);
  assert.deepEqual(
    one.book.list().holdersRevoked.map(({ name, by }) => [name, by]),
    [["ada", "local"]],
  );
});

test("a serial that is known nowhere is listed as revoked, and certificates that a revoked holder had made are told", async () => {
  const one = await node(31);
  const serial = issue(one, "ada");
  const friend = issue(one, "eve", "ada");
  const { theirs } = one.book.revoke({ serial }, "local");
  assert.deepEqual(
    theirs.map(({ name, serial: its }) => [name, its]),
    [["eve", friend]],
  );
  one.book.revoke({ serial: "7fff" }, "local");
  const stranger = one.book.list().certificates.find((each) => each.serial === "7fff");
  assert.deepEqual([stranger?.name, stranger?.revoked?.by], [null, "local"]);
});

test("a clock that is wrong, ahead or behind, lets nothing in again", async () => {
  const one = await node(41);
  const serial = issue(one, "ada");
  one.book.revoke({ serial }, "local");
  for (const wallMs of [Date.UTC(2099, 0, 1), 0]) {
    const wrong = await node(41, wallMs);
    issue(wrong, "bob");
    assert.ok(wrong.book.revocationOf(ofHolder("ada", serial)), `${wallMs}`);
  }
});

test("what cannot be written down is not handed out, but called back all the same and said", async () => {
  const one = await node(51);
  const serial = issue(one, "ada");
  rmSync(one.path);
  mkdirSync(join(one.path, "in-the-way"), { recursive: true });
  const refused = (error: unknown): boolean => isHansaError(error, "STATE_UNWRITABLE");
  assert.throws(() => issue(one, "bob"), refused);
  assert.throws(() => one.book.revoke({ serial }, "local"), refused);
  assert.ok(one.book.revocationOf(ofHolder("ada", serial)));
  assert.ok(one.book.problem);
  rmSync(one.path, { recursive: true });
  one.book.take(encodeRecords([]));
  assert.equal(one.book.problem, undefined);
  assert.ok((await node(51)).book.revocationOf(ofHolder("ada", serial)));
});

test("a damaged file is said, and is not taken for nothing", async () => {
  for (const text of ["{", "{}", '{"version":1,"records":"AQ=="}']) {
    writeFileSync(join(folder, "61.json"), text);
    await assert.rejects(node(61), (error) => isHansaError(error, "STATE_DAMAGED"));
  }
});
