import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isHansaError } from "../errors.ts";
import { plainLinks } from "../values/node-link.ts";
import { parseAdmission } from "./admission.ts";
import { parseStartRequest, parseStopRequest } from "./start-request.ts";

const usage = (words: RegExp) => (error: unknown) =>
  isHansaError(error, "USAGE") && words.test(error.message);

test("a start is read field by field, and what was left out stays out", () => {
  const line = { id: 1, op: "start" };
  assert.deepEqual(parseStartRequest(line), { join: false });
  const all = {
    ...{ name: "n", domain: "d", addresses: ["192.0.2.1"], cluster: "c", subnet: "10.0.0.0/12" },
    ...{ links: plainLinks(["192.0.2.2"]), ports: { api: 2443 }, join: true },
  };
  assert.deepEqual(parseStartRequest({ ...line, ...all }), all);
  assert.deepEqual(parseStopRequest({ ...line, leave: true }), { leave: true });
});

test("unknown fields, other types, long texts and long lists are refused by name", () => {
  const bad: readonly (readonly [Record<string, unknown>, RegExp])[] = [
    [{ token: "t" }, /malformed at token$/],
    [{ program: ["sh"] }, /malformed at program$/],
    [{ name: 1 }, /malformed at name$/],
    [{ name: "" }, /malformed at name$/],
    [{ name: "x".repeat(301) }, /malformed at name$/],
    [{ addresses: "192.0.2.1" }, /malformed at addresses$/],
    [{ links: ["192.0.2.1"] }, /malformed at links$/],
    [{ links: Array(9).fill(plainLinks(["192.0.2.1"])[0]) }, /malformed at links$/],
    [{ ports: { ssh: 22 } }, /malformed at ports$/],
    [{ ports: { api: "22" } }, /malformed at ports$/],
    [{ ports: null }, /malformed at ports$/],
    [{ join: "yes" }, /malformed at join$/],
  ];
  for (const [fields, words] of bad) assert.throws(() => parseStartRequest(fields), usage(words));
  assert.throws(() => parseStopRequest({ force: true }), usage(/malformed at force$/));
});

const good = {
  ...{ id: 2, name: "n", cluster: "hansa", subnet: "10.32.0.0/12", encryption: "wireguard" },
  ...{ targets: ["host1", "192.0.2.1:7000"], sealed: { publicKey: "k", box: "b" } },
};

test("an admission comes back as it is, and a malformed one is refused by name", () => {
  assert.deepEqual(parseAdmission({ ...good, more: 1 }), good);
  const bad: readonly (readonly [Record<string, unknown>, RegExp])[] = [
    [{ id: 0 }, /at id$/],
    [{ id: "2" }, /at id$/],
    [{ name: "" }, /at name$/],
    [{ encryption: "rot13" }, /at encryption$/],
    [{ targets: [] }, /at targets$/],
    [{ targets: ["not a host"] }, /at targets$/],
    [{ targets: Array(65).fill("host1") }, /at targets$/],
    [{ sealed: null }, /at sealed$/],
    [{ sealed: { publicKey: "k", box: "b".repeat(70_000) } }, /at sealed.box$/],
  ];
  for (const [fields, words] of bad) {
    assert.throws(
      () => parseAdmission({ ...good, ...fields }),
      (error) => isHansaError(error, "API_ANSWER_INVALID") && words.test(error.message),
    );
  }
});

test("whatever comes is taken or refused, never a failure of another kind", () => {
  fc.assert(
    fc.property(fc.object({ maxDepth: 3 }), fc.anything(), (fields, value) => {
      for (const parse of [
        () => parseStartRequest(fields as Record<string, unknown>),
        () => parseStopRequest(fields as Record<string, unknown>),
        () => parseAdmission(value),
        () => parseAdmission({ ...good, ...(fields as object) }),
      ]) {
        try {
          parse();
        } catch (error) {
          assert.ok(isHansaError(error), `${error}`);
        }
      }
    }),
    { numRuns: 300 },
  );
});
