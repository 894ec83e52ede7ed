import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { createApi } from "../api/create-api.ts";
import { exampleQuorum } from "../api/fake-cluster.ts";
import { FakeNode } from "../api/fake-node.ts";
import { serveUnix, type UnixListener } from "../api/serve-unix.ts";
import { joinRequest } from "./commands/add.ts";
import { type FakeTerminalOptions, type Ran, runFake } from "./fake-terminal.ts";

process.env["TZ"] = "UTC";
let folder: string;
let node: FakeNode;
let listener: UnixListener;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "hansa-quorum-"));
  node = new FakeNode();
  listener = await serveUnix(createApi(node), { path: join(folder, "hansa.sock") });
});
after(async () => {
  await listener.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  node.cluster.current = exampleQuorum();
});

const run = (line: string, options: FakeTerminalOptions = {}): Promise<Ran> =>
  runFake(line.split(" "), { socket: join(folder, "hansa.sock"), ...options });

test("pvecm status is the quorum alone, hansa status --quorum the same, and without a majority both exit with 2", async () => {
  const shown = await run("status", { program: "pvecm" });
  assert.equal(shown.exit, 0);
  assert.match(shown.stdout, /^Cluster information\n-{19}\nName: {13}prod-central\n/);
  assert.equal((await run("status --quorum")).stdout, shown.stdout);
  const both = await run("status --targets --quorum");
  assert.match(both.stdout, /\n\nCluster information\n/);
  node.cluster.current = { ...exampleQuorum(), quorate: false, flags: [] };
  for (const line of ["status --quorum", "status --quorum -o json", "status --ipam --quorum"]) {
    assert.equal((await run(line)).exit, 2, line);
  }
  assert.equal((await run("status")).exit, 0, "which does not ask the votes");
  assert.match((await run("status --watch --quorum")).stderr, /--quorum does not go with --watch/);
});

test("what is no backup is refused before anything is asked, without a word of a reset", async () => {
  const path = join(folder, "hosts");
  writeFileSync(path, "127.0.0.1 localhost\n");
  for (const [file, said] of [
    [path, /hosts is no copy of a store/],
    [`${path}.none`, /there is no file .*hosts\.none/],
  ] as const) {
    const { exit, stderr } = await run(`restore ${file}`);
    assert.equal(exit, 1);
    assert.match(stderr, said);
    assert.match(stderr, /Hint: name a file that hansa backup wrote/);
  }
});

test("documents of the quorum and of the nodes are what the API says", async () => {
  assert.deepEqual(JSON.parse((await run("status --quorum -o json")).stdout), exampleQuorum());
  assert.deepEqual(JSON.parse((await run("nodes -o json")).stdout), exampleQuorum().members);
  const { ipam, quorum } = JSON.parse((await run("status --ipam --quorum -o json")).stdout);
  assert.ok(ipam && quorum.quorate);
});

test("a cluster without a store says how to make one, for nodes, status and join-info alike", async () => {
  node.cluster.current = undefined;
  for (const line of ["status", "nodes", "join-info"]) {
    const { exit, stderr } = await run(line, { program: "pvecm" });
    assert.equal(exit, 1, line);
    assert.match(stderr, /Error: node 1 \(host1\) knows of no store\n.*Hint: .*pvecm create NAME/);
  }
});

test("join-info is one word that --decode reads again; what is none is refused", async () => {
  const word = (await run("join-info")).stdout.trim();
  assert.match(word, /^[A-Za-z0-9+/]+=*$/);
  const decoded = await run(`join-info --decode ${word}`);
  assert.deepEqual(JSON.parse(decoded.stdout), {
    ipAddress: "192.168.15.92",
    port: 1443,
    fingerprint: Array.from({ length: 32 }, () => "AB").join(":"),
    peerLinks: { 0: "192.168.15.92" },
    ring_addr: ["192.168.15.92"],
    totem: {
      ...{ cluster_name: "prod-central", config_version: "4", version: "2", secauth: "on" },
      ...{ link_mode: "passive", interface: { 0: { linknumber: "0" } } },
    },
  });
  for (const text of ["nonsense!", "e30=", "bnVsbA==", "A".repeat(70_000)]) {
    const { exit, stderr } = await run(`join-info --decode ${text}`);
    assert.equal(exit, 1);
    assert.match(stderr, /does not seem like a valid encoded cluster information/);
  }
  assert.match((await run("join-info word")).stderr, /INFO goes with --decode/);
});

test("delnode wants a yes; as pvecm, where nobody can be asked, the line is the answer", async () => {
  const asked = await run("delnode hp4");
  assert.equal(asked.exit, 1);
  assert.match(asked.stderr, /node hp4 was not removed: that was not confirmed/);
  const done = await run("delnode hp4", { program: "pvecm" });
  assert.equal(done.stdout, "node 4 (hp4) was removed from the cluster\n");
  assert.equal((await run("delnode hp3 --yes")).exit, 0);
  const gone = await run("delnode hp9 --yes");
  assert.deepEqual([gone.exit, gone.stdout], [3, ""]);
});

test("what join-info prints stands for the host and its fingerprint; one that is given goes before it", async () => {
  const word = (await run("join-info")).stdout.trim();
  const words = { flags: new Set<string>(), lists: new Map(), operands: [word] };
  const request = joinRequest({ ...words, values: new Map() });
  assert.deepEqual(request.peer, { host: "192.168.15.92", port: 1443 });
  assert.equal(request.fingerprint, Array.from({ length: 32 }, () => "AB").join(":"));
  const given = "CD".repeat(32);
  const other = joinRequest({ ...words, values: new Map([["fingerprint", given]]) });
  assert.equal(other.fingerprint, given);
});

test("what add is asked for is checked before anything is done", async () => {
  const refused = async (line: string, text: RegExp): Promise<void> => {
    const { exit, stderr } = await run(line);
    assert.equal(exit, 1, line);
    assert.match(stderr, text, line);
  };
  await refused("add", /expected argument\(s\): HOST/);
  await refused("add a/b", /HOST, required: HOST\[:PORT\], or what join-info prints/);
  await refused("add host1 --nodeid 0", /nodeid, required: number \[1-65535\]/);
  await refused("add host1 --votes 2", /a node has 1 vote or none, not 2/);
  await refused("add host1 --fingerprint AB:CD", /fingerprint, required: 32 bytes in hex/);
  await refused("add host1 --link0 here", /link0, required: an IP address of this host/);
  await refused("add host1 --link8 192.0.2.1", /at most 8 links/);
  assert.equal((await run("add host1", { isRoot: false })).exit, 1);
  const words = { flags: new Set<string>(), lists: new Map(), operands: ["[::1]:2443"] };
  const values = new Map([
    ["votes", "0"],
    ["fingerprint", "ab".repeat(32)],
  ]);
  const { peer, votes, id, force } = joinRequest({ ...words, values });
  assert.deepEqual([peer, votes, id, force], [{ host: "::1", port: 2443 }, 0, undefined, false]);
});

test("create refuses weights of votes and ids that have none before it looks at the host", async () => {
  for (const [line, text] of [
    ["create prod --votes 0", /who makes the store has a vote in it/],
    ["create prod --votes 3", /votes have no weights here/],
    ["create prod --nodeid 5", /node 5 has no vote by itself/],
    ["create prod --nodeid x", /nodeid, required: number/],
  ] as const) {
    const { exit, stderr } = await run(line);
    assert.equal(exit, 1, line);
    assert.match(stderr, text);
  }
});

test("updatecerts says the truth, or nothing when it is to be silent", async () => {
  assert.match(
    (await run("updatecerts --force")).stderr,
    /nothing to do: a node makes its certificate/,
  );
  assert.deepEqual(await run("updatecerts --silent"), { exit: 0, stdout: "", stderr: "" });
});
