import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hansaPaths } from "../processes/paths.ts";
import { thisHost } from "../processes/this-host.ts";
import { collectReport } from "./collect-report.ts";

test("a host with a damaged identity is reported all the same, and no key of it is told", async () => {
  const root = await mkdtemp(join(tmpdir(), "hansa-report-"));
  try {
    const paths = hansaPaths({ HANSA_ROOT: root });
    // No folder with programs: none is run.
    const host = { ...thisHost(), paths, folders: [] };
    const key = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0ICEhISE=";
    await mkdir(paths.stateDir, { recursive: true });
    await mkdir(paths.logDir, { recursive: true });
    await writeFile(
      join(paths.stateDir, "identity.json"),
      `{"version":1,"roots":[{"root":"${key}"`,
    );
    await writeFile(join(paths.logDir, "daemon.log"), `it said ${key} and went on\n`);
    const { files } = await collectReport(host);
    const log = files.find(({ path }) => path === "log/daemon.log");
    assert.equal(log?.text, "it said [redacted] and went on\n");
    assert.ok(files.every(({ text }) => !text.includes(key)));
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
