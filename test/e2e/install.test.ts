/** From a release file to an installed program and back: the script, `hansa install`, a node, `hansa uninstall`, on hosts that had none. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, link } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Host, Playground } from "../../src/playground/playground.ts";
import { eventually, HANSA, launch, must, status } from "./cluster.ts";

const ROOT = join(import.meta.dirname, "../..");
let playground: Playground;
let host: Host;
let sum: string;

before(async () => {
  playground = await Playground.up({ name: "e2einst", hosts: 1 });
  host = playground.host(1);
  const release = join(host.stateDir, "tmp/hansa-release");
  await link(HANSA, release).catch(() => copyFile(HANSA, release));
  await copyFile(join(ROOT, "install.sh"), join(host.stateDir, "tmp/install.sh"));
  const hash = createHash("sha256");
  for await (const piece of createReadStream(HANSA)) hash.update(piece as Buffer);
  sum = hash.digest("hex");
});
after(() => playground?.down());

/** Every file, link and folder that installing may touch, with its content. The backups of groupadd and groupdel are Debian's own. */
function snapshot(): Promise<string> {
  const look = `cd / && find etc usr/local/bin -xdev ! -name 'group-' ! -name 'gshadow-' ! -name .pwd.lock -printf '%p %y %m %U:%G %l\\n' | sort
find etc usr/local/bin -xdev -type f ! -name 'group-' ! -name 'gshadow-' -size -2M -exec sha256sum {} + | sort -k 2`;
  return must(host, "sh", "-c", look);
}

test("the script refuses a file whose checksum is wrong or unknown, and runs nothing of it", async () => {
  const before = await snapshot();
  const unknown = await host.exec(["sh", "/tmp/install.sh", "--from", "/tmp/hansa-release"]);
  assert.equal(unknown.status, 1);
  assert.match(unknown.stderr, /there is no checksum for \/tmp\/hansa-release\nhint: /);
  const other = "0".repeat(64);
  const words = ["--from", "/tmp/hansa-release", "--sha256", other];
  const wrong = await host.exec(["sh", "/tmp/install.sh", ...words]);
  assert.equal(wrong.status, 1);
  assert.match(
    wrong.stderr,
    new RegExp(`the checksum of /tmp/hansa-release is ${sum}, not ${other}`),
  );
  const missing = await host.exec(["sh", "/tmp/install.sh", "--from", "/tmp/none"]);
  assert.match(missing.stderr, /there is no file \/tmp\/none/);
  assert.equal(await snapshot(), before);
});

test("the plan is data, needs no root and changes nothing; installing needs root", async () => {
  const before = await snapshot();
  const user = ["setpriv", "--reuid=1000", "--clear-groups", "/tmp/hansa-release", "install"];
  const { steps } = JSON.parse(await must(host, ...user, "--dry-run", "-o", "json"));
  const kinds = new Set(steps.map(({ step }: { step: string }) => step));
  for (const kind of ["executable", "link", "group", "completion"])
    assert.ok(kinds.has(kind), kind);
  const refused = await host.exec(user);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /root privileges required/);
  assert.equal(await snapshot(), before);
});

let untouched: string;

test("installed from a web server with a checksum beside the file: program, names, group, completion", async () => {
  await must(host, "ln", "-s", "/opt/another", "/usr/local/bin/pvecm");
  untouched = await snapshot();
  await must(host, "sh", "-c", `echo '${sum}  hansa' > /tmp/hansa-release.sha256`);
  const serve = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "-d", "/tmp", "8099"];
  const server = host.spawn(serve);
  try {
    const url = "http://127.0.0.1:8099/hansa-release";
    await eventually("the web server serves", 5_000, async () =>
      (await host.exec(["wget", "-q", "--spider", url])).status === 0 ? true : undefined,
    );
    const printed = await must(host, "sh", "/tmp/install.sh", "--from", url);
    assert.match(printed, /^copy .* to \/usr\/local\/bin\/hansa$/m);
    assert.match(printed, /^leave \/usr\/local\/bin\/pvecm: it is another program$/m);
  } finally {
    server.kill("SIGKILL");
  }
  for (const name of ["hansa", "overnode", "kontena", "smr", "smrctl", "smrmgr"]) {
    assert.match(await must(host, name, "version"), /^hansa \d/, name);
  }
  assert.equal(await must(host, "readlink", "/usr/local/bin/pvecm"), "/opt/another");
  assert.match(await must(host, "getent", "group", "hansa"), /^hansa:/);
  // Without the machine's own start-up files, which bash reads where its input is a socket.
  await must(
    host,
    "bash",
    "--norc",
    "-c",
    "source /etc/bash_completion.d/hansa && complete -p hansa",
  );
});

test("installing again does nothing", async () => {
  const before = await snapshot();
  assert.match(await must(host, "hansa", "install"), /everything is installed$|^leave .*pvecm/);
  assert.equal(await snapshot(), before);
});

test("a node runs from it; members of the group may ask it; and it keeps its program", async () => {
  await launch(host, 1);
  const gid = (await must(host, "getent", "group", "hansa")).split(":")[2];
  const member = ["setpriv", "--reuid=1000", `--regid=${gid}`, "--clear-groups"];
  assert.match(await must(host, ...member, "hansa", "status", "--peers"), /host1/);
  const stranger = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"];
  assert.equal((await host.exec([...stranger, "hansa", "status"])).status, 1);
  const before = await snapshot();
  const refused = await host.exec(["hansa", "uninstall"]);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /the host is node 1 of the cluster hansa/);
  assert.match(refused.stderr, /hansa reset/);
  assert.equal(await snapshot(), before);
  assert.equal((await status(host)).node.id, 1);
});

test("uninstall removes all that install made, byte for byte", async () => {
  // As after a power cut of a host that was reset.
  await host.kill();
  await host.boot();
  await eventually("the node runs", 30_000, async () => ((await status(host)) ? true : undefined));
  await must(host, "hansa", "stop");
  await must(host, "sh", "-c", "rm -rf /var/lib/hansa/*");
  await must(host, "rm", "-f", "/etc/docker/plugins/hansa.spec");
  const dry = await must(host, "hansa", "uninstall", "--dry-run");
  const printed = await must(host, "hansa", "uninstall");
  assert.equal(printed, dry);
  const clean = (text: string): string =>
    text.replaceAll(/^.*etc\/docker.*\n/gm, "").replaceAll(/^.* etc\/hosts\n/gm, "");
  assert.equal(clean(await snapshot()), clean(untouched));
  assert.notEqual((await host.exec(["hansa", "version"])).status, 0);
  const left =
    "pgrep -f '[h]ansa starter'; ls -d /run/hansa-starter /var/log/hansa 2>/dev/null; true";
  assert.equal(await must(host, "sh", "-c", left), "");
});
