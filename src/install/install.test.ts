/** Installing under a root of its own, with a group file and an apt-get that keep what they are told. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { isHansaError } from "../errors.ts";
import type { Command, CommandOptions, CommandResult } from "../host/command.ts";
import { hansaPaths } from "../processes/paths.ts";
import { thisHost } from "../processes/this-host.ts";
import { carryOut, type InstallHost, installSteps } from "./install.ts";
import { installPaths } from "./install-paths.ts";
import { sameBytes } from "./same-bytes.ts";
import { carryOutRemoval, requireNoNode, resetNode, uninstallSteps } from "./uninstall.ts";

/** A host whose apt-get, groupadd and groupdel change files under `root`. */
class FakeCommand implements Command {
  readonly ran: string[] = [];
  readonly root: string;
  aptFails = 0;

  constructor(root: string) {
    this.root = root;
  }

  async run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const line = argv.join(" ");
    this.ran.push(line);
    const done = { status: 0, stdout: "", stderr: "" };
    const groups = join(this.root, "etc/group");
    if (line.endsWith("completion bash")) return { ...done, stdout: "complete -F _hansa hansa\n" };
    if (argv[0] === "groupadd") {
      await writeFile(groups, `${readFileSync(groups, "utf8")}hansa:x:999:\n`);
    } else if (argv[0] === "groupdel") {
      await writeFile(groups, readFileSync(groups, "utf8").replace("hansa:x:999:\n", ""));
    } else if (line.startsWith("apt-get install")) {
      if (this.aptFails-- > 0) return { ...done, status: 100, stderr: "E: no such package\n" };
      await this.program("nft");
    } else if (line === "sh -s") {
      assert.match(`${options.stdin}`, /^#!\/bin\/sh\n# Installs wireguard-go/);
      await this.program("wireguard-go");
    }
    return done;
  }

  async program(name: string): Promise<void> {
    await writeFile(join(this.root, "bin", name), "");
    await chmod(join(this.root, "bin", name), 0o755);
  }
}

let root: string;
let command: FakeCommand;
let on: InstallHost;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "hansa-install-"));
  for (const folder of ["etc", "bin", "usr/local/bin"]) {
    await mkdir(join(root, folder), { recursive: true });
  }
  await writeFile(join(root, "etc/group"), "root:x:0:\n");
  await writeFile(join(root, "hansa"), "the executable");
  command = new FakeCommand(root);
  for (const name of ["dockerd", "etcd", "ip", "iptables", "wg", "apt-get"])
    await command.program(name);
  const host = {
    ...thisHost(),
    paths: hansaPaths({ HANSA_ROOT: root }),
    folders: [join(root, "bin")],
    kernelHasWireguard: false,
    isRoot: true,
  };
  let isThere = false;
  const starter = {
    isThere: async () => isThere,
    ensure: async () => {
      isThere = true;
    },
    remove: async () => {
      isThere = false;
    },
    renew: async () => undefined,
  };
  on = { host, command, source: join(root, "hansa"), starter };
});
afterEach(() => rm(root, { recursive: true, force: true }));

const silent = (): void => undefined;

test("install makes everything, again it does nothing, and uninstall leaves the files as they were", async () => {
  const before = readFileSync(join(root, "etc/group"), "utf8");
  await carryOut(await installSteps(on), on, silent);
  const bin = join(root, "usr/local/bin");
  assert.equal(readFileSync(join(bin, "hansa"), "utf8"), "the executable");
  assert.equal(readlinkSync(join(bin, "kontena")), "hansa");
  assert.match(readFileSync(join(root, "etc/group"), "utf8"), /^hansa:/m);
  assert.ok(existsSync(join(root, "bin/nft")));
  assert.deepEqual(await installSteps(on), []);
  const { steps, record } = await uninstallSteps(on);
  assert.deepEqual(record.packages, ["nftables", "wireguard-go"]);
  assert.ok(await on.starter.isThere());
  await carryOutRemoval(steps, on, silent);
  assert.ok(!(await on.starter.isThere()));
  assert.equal(readFileSync(join(root, "etc/group"), "utf8"), before);
  for (const gone of [
    "usr/local/bin/hansa",
    "usr/local/bin/smr",
    "etc/hansa",
    "etc/bash_completion.d",
  ]) {
    assert.ok(!existsSync(join(root, gone)), gone);
  }
  await assert.rejects(uninstallSteps(on), (error) => isHansaError(error, "INSTALL_REFUSED"));
});

test("a newer executable replaces the older one; another's link is left, and stays at uninstall", async () => {
  await symlink("/opt/proxmox/pvecm", join(root, "usr/local/bin/pvecm"));
  await carryOut(await installSteps(on), on, silent);
  await writeFile(join(root, "hansa"), "the executable, newer");
  const kinds = (await installSteps(on)).map(({ step }) => step);
  assert.deepEqual(kinds, ["executable", "leave"]);
  await carryOut(await installSteps(on), on, silent);
  assert.ok(await sameBytes(on.source, join(root, "usr/local/bin/hansa")));
  await carryOutRemoval((await uninstallSteps(on)).steps, on, silent);
  assert.equal(readlinkSync(join(root, "usr/local/bin/pvecm")), "/opt/proxmox/pvecm");
});

test("Debian's own etcd service is masked before its package could start it", async () => {
  await rm(join(root, "bin/etcd"));
  await mkdir(join(root, "run/systemd/system"), { recursive: true });
  await carryOut(await installSteps(on), on, silent);
  const mask = command.ran.indexOf("systemctl mask etcd.service");
  const install = command.ran.findIndex((line) => /^apt-get install.* etcd-server/.test(line));
  assert.ok(mask !== -1 && mask < install, command.ran.join("\n"));
});

test("apt-get is tried again with fresh lists, and its last words are told", async () => {
  command.aptFails = 1;
  await carryOut(await installSteps(on), on, silent);
  assert.ok(command.ran.includes("apt-get update -qq"));
  await rm(join(root, "bin/nft"));
  command.aptFails = 2;
  await assert.rejects(carryOut(await installSteps(on), on, silent), (error) => {
    assert.ok(isHansaError(error, "PACKAGES_MISSING"));
    assert.equal(error.message, "nftables could not be installed: E: no such package");
    return true;
  });
});

test("an installation that broke off can be undone: what was made is on record", async () => {
  const steps = await installSteps(on);
  const until = steps.findIndex(({ step }) => step === "link") + 1;
  await carryOut(steps.slice(0, until), on, silent);
  await carryOutRemoval((await uninstallSteps(on)).steps, on, silent);
  assert.ok(!existsSync(join(root, "usr/local/bin/overnode")));
  assert.ok(!existsSync(join(root, "usr/local/bin/hansa")));
});

test("what cannot be recorded is not made: it would be nobody's to remove", async () => {
  const { record } = installPaths(on.host.paths.prefix);
  await mkdir(dirname(record), { recursive: true });
  const steps = await installSteps(on);
  await mkdir(record);
  await assert.rejects(
    carryOut(
      steps.filter(({ step }) => step !== "packages"),
      on,
      silent,
    ),
  );
  assert.ok(!existsSync(join(root, "usr/local/bin/hansa")));
  await rm(record, { recursive: true });
  assert.deepEqual(await installSteps(on), steps);
});

test("a launched host keeps its program", async () => {
  await requireNoNode(on);
  await mkdir(on.host.paths.stateDir, { recursive: true });
  const node = {
    ...{ version: 1, id: 3, name: "n", cluster: "hansa", subnet: "10.32.0.0/12", targets: [] },
    ...{ links: [], ports: { gossip: 6783, overlay: 6784, api: 1443 }, encryption: "wireguard" },
  };
  await writeFile(on.host.paths.nodeFile, JSON.stringify(node));
  await assert.rejects(requireNoNode(on), /the host is node 3 of the cluster hansa/);
});

test("a witness keeps its program, until it is ended or --force ends it", async () => {
  const home = join(on.host.paths.stateDir, "witness");
  await mkdir(home, { recursive: true });
  await writeFile(join(home, "witness.json"), "{}");
  await assert.rejects(requireNoNode(on), /the host is a witness, which needs its program/);
  const asked: string[] = [];
  const run = async (argv: readonly string[]) => {
    asked.push(argv.slice(1).join(" "));
    return { status: 0, stdout: "this host is no witness any more\n", stderr: "" };
  };
  await resetNode({ ...on, command: { run } }, () => undefined);
  assert.deepEqual(asked, ["qdevice end"]);
});
