import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isHansaError } from "../../errors.ts";
import {
  loadMembershipFile,
  type MembershipFile,
  NO_MEMBERSHIP,
  saveMembershipFile,
} from "./membership-file.ts";

const directory = mkdtempSync(join(tmpdir(), "membership-file-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const path = join(directory, "membership.json");

const FILE: MembershipFile = {
  version: 1,
  incarnation: 7,
  peers: [{ name: "2-00000002", endpoint: { ip: "192.0.2.2", port: 6783 }, lastAliveMs: 5 }],
  nodes: [
    {
      id: 2,
      name: "host2",
      keyFingerprint: "00000002",
      wireguardKey: "",
      endpoint: { ip: "192.0.2.2", port: 6784 },
    },
  ],
  departed: [{ id: 3, keyFingerprint: "00000003", cause: "left", atSeconds: 1 }],
};

test("what is saved is read back, and only its owner can read it", async () => {
  assert.deepEqual(await loadMembershipFile(join(directory, "none.json")), NO_MEMBERSHIP);
  saveMembershipFile(path, FILE);
  assert.deepEqual(await loadMembershipFile(path), FILE);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("damaged entries are left out, a damaged file is refused", async () => {
  const nodes = [null, 7, { id: "x" }, ...FILE.nodes];
  const departed = [...FILE.departed, null, { id: 3 }];
  writeFileSync(path, JSON.stringify({ ...FILE, nodes, departed }));
  assert.deepEqual(await loadMembershipFile(path), FILE);
  writeFileSync(path, JSON.stringify({ ...FILE, departed: undefined }));
  assert.deepEqual((await loadMembershipFile(path)).departed, []);
  for (const text of ["", "{", "null", "[]", '{"version":2,"incarnation":1}', '{"version":1}']) {
    writeFileSync(path, text);
    await assert.rejects(
      loadMembershipFile(path),
      (error) => isHansaError(error) && error.code === "STATE_DAMAGED",
      text,
    );
  }
});
