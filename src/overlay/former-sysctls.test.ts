import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { isHansaError } from "../errors.ts";
import { FormerSysctls } from "./former-sysctls.ts";

const FORWARD = "net/ipv4/ip_forward";
let root: string;
let file: string;
let former: FormerSysctls;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "former-sysctls-"));
  file = join(root, "sysctls.json");
  mkdirSync(join(root, "net/ipv4"), { recursive: true });
  former = new FormerSysctls(file, root);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const value = (): string => readFileSync(join(root, FORWARD), "utf8");
const set = (text: string): void => writeFileSync(join(root, FORWARD), text);

test("what was changed is put back, also after several lives", async () => {
  set("1\n");
  await former.note(FORWARD, 0, 1);
  await new FormerSysctls(file, root).note(FORWARD, 1, 1);
  await new FormerSysctls(file, root).restore();
  assert.equal(value(), "0");
});

test("what somebody else set meanwhile stays, and becomes the former value when it is changed again", async () => {
  await former.note(FORWARD, 0, 1);
  set("2\n");
  await former.restore();
  assert.equal(value(), "2\n");
  await former.note(FORWARD, 2, 1);
  set("1\n");
  await former.restore();
  assert.equal(value(), "2");
});

test("nothing noted, or a setting that is gone, is nothing to put back", async () => {
  await former.restore();
  await former.note("net/ipv4/neigh/default/gc_thresh3", 1024, 65536);
  await former.restore();
});

test("a damaged file is refused, above all one that names other files", async () => {
  const settings = { "net/../../etc/passwd": { was: 0, set: 1 } };
  for (const damaged of ["{", "null", "[]", JSON.stringify({ version: 1, settings })]) {
    writeFileSync(file, damaged);
    await assert.rejects(former.restore(), (error) => isHansaError(error, "STATE_DAMAGED"));
  }
});
