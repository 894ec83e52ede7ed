import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { isHansaError } from "../errors.ts";
import type { Command } from "../host/command.ts";
import { hansaPaths } from "./paths.ts";
import { processList } from "./process-list.ts";
import {
  removeStarterUnits,
  removeUnits,
  startStarterUnits,
  startUnits,
  stopUnits,
} from "./systemd.ts";
import { starterUnitFiles, unitFiles, WITNESS_UNIT, witnessUnit } from "./units.ts";

const GOLDEN = join(import.meta.dirname, "golden/units.golden");
const SOCKET = "/run/hansa/ipam.sock";
const STARTER_SOCKET = "/run/hansa-starter/start.sock";

function text(files: ReadonlyMap<string, string>): string {
  return [...files].map(([name, body]) => `=== ${name}\n${body}`).join("\n");
}

test("the units are the recorded ones", async () => {
  const processes = processList({
    program: ["/usr/local/bin/hansa"],
    tunnel: "role",
    store: {
      ...{ name: "etcd", env: {} },
      argv: ["/usr/bin/etcd", "--config-file", "/var/lib/hansa/store/etcd.json"],
    },
  });
  const starter = starterUnitFiles(["/usr/local/bin/hansa"], STARTER_SOCKET);
  const witness = [WITNESS_UNIT, witnessUnit(["/usr/local/bin/hansa"])] as const;
  const actual = text(new Map([...unitFiles(processes, SOCKET), ...starter, witness]));
  if (process.env["UPDATE_GOLDEN"] === "1") await writeFile(GOLDEN, actual);
  assert.equal(actual, readFileSync(GOLDEN, "utf8"));
});

test("nothing of ours waits for Docker, and the socket is there before it", () => {
  const files = unitFiles(processList({ program: ["/h"], tunnel: "role" }), SOCKET);
  assert.equal(files.size, 4);
  for (const [name, body] of files) {
    assert.doesNotMatch(body, /^(After|Requires|BindsTo|Wants|PartOf)=.*docker/m, name);
  }
  assert.match(files.get("hansa-ipam.socket") ?? "", /^Before=docker\.service$/m);
});

test("the tunnel is wireguard-go itself, the role that finds out, or nothing", () => {
  const argv = (tunnel: Parameters<typeof processList>[0]["tunnel"]) =>
    processList({ program: ["/h"], tunnel }).map((spec) => spec.argv.join(" "));
  assert.deepEqual(argv("none"), ["/h ipam-plugin", "/h daemon"]);
  assert.deepEqual(argv("role"), ["/h ipam-plugin", "/h tunnel", "/h daemon"]);
  assert.equal(argv({ wireguardGo: "/w" })[1], "/w -f hansa-wg");
});

test("words with blanks, quotes and systemd's own signs are quoted", () => {
  const spec = { name: "daemon", argv: ["/opt/my 100%/hansa", 'a"b', "$HOME"], env: {} };
  const unit = unitFiles([spec], SOCKET).get("hansa.service") ?? "";
  assert.match(unit, /^ExecStart="\/opt\/my 100%%\/hansa" "a\\"b" \$\$HOME$/m);
});

test("systemd-analyze finds nothing wrong with the units", async (t) => {
  if (!existsSync("/usr/bin/systemd-analyze")) return t.skip("systemd-analyze is not installed");
  const dir = await mkdtemp(join(tmpdir(), "units-"));
  try {
    // The program must exist for the check; any will do.
    const processes = processList({ program: [process.execPath], tunnel: "role" });
    const starter = starterUnitFiles([process.execPath], STARTER_SOCKET);
    const witness = [WITNESS_UNIT, witnessUnit([process.execPath])] as const;
    const files = new Map([...unitFiles(processes, SOCKET), ...starter, witness]);
    const paths = [...files.keys()].map((name) => join(dir, name));
    for (const [name, body] of files) await writeFile(join(dir, name), body);
    const { stdout, stderr } = await promisify(execFile)(
      "systemd-analyze",
      ["verify", "--man=no", "--recursive-errors=yes", ...paths],
      { env: { ...process.env, SYSTEMD_UNIT_PATH: `${dir}:` } },
    );
    assert.doesNotMatch(stdout + stderr, /hansa/);
  } finally {
    await rm(dir, { recursive: true });
  }
});

/** A systemctl that notes what it was asked, and fails for the words it is told to. */
function fakeSystemctl(failing = ""): { readonly calls: string[]; readonly command: Command } {
  const calls: string[] = [];
  return {
    calls,
    command: {
      async run(argv) {
        calls.push(argv.join(" "));
        const status = argv[1] === failing ? 1 : 0;
        return { status, stdout: "", stderr: status === 0 ? "" : "Unit is masked.\n" };
      },
    },
  };
}

test("units are installed, started, stopped and removed, and written only when they changed", async () => {
  const root = await mkdtemp(join(tmpdir(), "units-"));
  try {
    const paths = hansaPaths({ HANSA_ROOT: root });
    await mkdir(paths.systemdMark, { recursive: true });
    const processes = processList({ program: ["/usr/local/bin/hansa"], tunnel: "none" });
    const { calls, command } = fakeSystemctl();
    await stopUnits(paths, command);
    await removeUnits(paths, command);
    await startUnits(processes, paths, command);
    await startUnits(processes, paths, command);
    await stopUnits(paths, command);
    await removeUnits(paths, command);
    assert.deepEqual(calls, [
      "systemctl daemon-reload",
      "systemctl enable --now hansa-ipam.socket hansa-ipam.service hansa.service",
      "systemctl enable --now hansa-ipam.socket hansa-ipam.service hansa.service",
      "systemctl stop hansa.service hansa-ipam.service hansa-ipam.socket",
      "systemctl disable --now hansa.service hansa-ipam.service hansa-ipam.socket",
      "systemctl daemon-reload",
    ]);
    assert.equal(existsSync(join(paths.unitDir, "hansa.service")), false);
    await assert.rejects(startUnits(processes, paths, fakeSystemctl("enable").command), (error) => {
      assert.ok(isHansaError(error, "SYSTEMD_FAILED"));
      return error.message === "systemctl enable failed: Unit is masked.";
    });
  } finally {
    await rm(root, { recursive: true });
  }
});

test("the starter's units come and go by themselves, and a reset leaves them", async () => {
  const root = await mkdtemp(join(tmpdir(), "units-"));
  try {
    const paths = hansaPaths({ HANSA_ROOT: root });
    const { calls, command } = fakeSystemctl();
    await startStarterUnits(["/usr/local/bin/hansa"], paths, command);
    await startStarterUnits(["/usr/local/bin/hansa"], paths, command);
    await removeUnits(paths, command);
    await removeStarterUnits(paths, command);
    await removeStarterUnits(paths, command);
    assert.deepEqual(calls, [
      "systemctl daemon-reload",
      "systemctl enable --now hansa-starter.socket",
      "systemctl enable --now hansa-starter.socket",
      "systemctl disable --now hansa-starter.socket hansa-starter.service",
      "systemctl daemon-reload",
    ]);
  } finally {
    await rm(root, { recursive: true });
  }
});
