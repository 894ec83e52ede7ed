/** seeds/proxmox-cluster-manager.md, its lines verbatim on four real hosts, and what its requirements ask of a host that joins. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { type Answer, eventually, hosts, must } from "./cluster.ts";

let playground: Playground;
let hp1: Host;
let token: string;

before(async () => {
  playground = await hosts("e2epvecm", 6, 2);
  hp1 = playground.host(1);
});
after(() => playground?.down());

function pvecm(host: Host, ...args: string[]): Promise<Answer> {
  return host.exec(["pvecm", ...args], { timeoutMs: 180_000 });
}

/** Runs it at a terminal: each answer is typed once its question is seen. Resolves to the exit status and all that was shown. */
async function typed(
  host: Host,
  line: string,
  answers: readonly (readonly [RegExp, string])[],
): Promise<{ readonly status: number; readonly text: string }> {
  const child = host.spawn(["script", "-qefc", line, "/dev/null"]);
  let text = "";
  let at = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const ended = new Promise<number>((resolve) => child.on("close", (code) => resolve(code ?? -1)));
  for (const [question, answer] of answers) {
    await eventually(`${question}`, 60_000, async () => {
      if (question.test(text.slice(at))) return true;
      if (child.exitCode !== null) throw new Error(`it ended: ${text}`);
      throw new Error(`seen: ${text}`);
    });
    at = text.length;
    child.stdin.write(`${answer}\r`);
  }
  const status = await ended;
  return { status, text: text.replaceAll("\r", "") };
}

/** The labels and values of the first three sections, and the rows of the last. */
function sections(text: string) {
  const values = new Map(
    [...text.matchAll(/^([A-Z][A-Za-z ]+:) +(.*)$/gm)].map(([, label = "", value = ""]) => [
      label,
      value,
    ]),
  );
  const rows = [...text.matchAll(/^(?:0x[0-9a-f]{8}| +\d+) +\d+ \S.*$/gm)].map(([row]) => row);
  return { values, rows };
}

async function settled(host: Host, nodes: number): Promise<string> {
  return eventually(`${nodes} nodes with votes on ${host.name}`, 30_000, async () => {
    const { stdout } = await pvecm(host, "status");
    const { values } = sections(stdout);
    const isSettled =
      values.get("Nodes:") === `${nodes}` &&
      values.get("Total votes:") === `${Math.min(nodes, 4)}` &&
      values.get("Config Version:") === `${nodes}`;
    if (isSettled) return stdout;
    throw new Error(stdout);
  });
}

test("names of clusters follow the rules, and votes have no weights: refused before anything is done", async () => {
  for (const name of ["sixteen-letters-", "-dash", "a.dot", "sixteencharacter", ""]) {
    const { status, stderr } = await pvecm(hp1, "create", "--", name);
    assert.equal(status, 1, name);
    assert.match(stderr, /is no name: 1 to 15 letters/, name);
  }
  for (const votes of ["0", "2"]) {
    const { status, stderr } = await pvecm(hp1, "create", "prod-central", "--votes", votes);
    assert.equal(status, 1);
    assert.match(stderr, /vote/);
  }
  const none = await pvecm(hp1, "status");
  assert.equal(none.status, 1);
  assert.match(none.stderr, /not running on this host/);
  assert.equal((await hp1.exec(["test", "-e", "/var/lib/hansa/node.json"])).status, 1);
});

test("pvecm create CLUSTERNAME, then pvecm status: one node, one vote, quorate; a second create is refused", async () => {
  await must(hp1, "pvecm", "create", "prod-central");
  const { status, stdout } = await pvecm(hp1, "status");
  assert.equal(status, 0);
  const { values, rows } = sections(stdout);
  assert.deepEqual(
    [
      "Name:",
      "Config Version:",
      "Nodes:",
      "Node ID:",
      "Quorate:",
      "Expected votes:",
      "Total votes:",
      "Quorum:",
      "Flags:",
    ].map((label) => values.get(label)),
    ["prod-central", "1", "1", "0x00000001", "Yes", "1", "1", "1", "Quorate"],
  );
  assert.equal(rows.length, 1);
  assert.match(rows[0] ?? "", / \(local\)$/);
  const again = await pvecm(hp1, "create", "prod-central");
  assert.equal(again.status, 1);
  assert.match(again.stderr, /the store prod-central exists already/);
  token = await must(hp1, "hansa", "token", "show");
  assert.ok(Buffer.from(token, "base64url").length >= 16);
});

test("pvecm add IP-ADDRESS-CLUSTER asks for the fingerprint and the password, tells its steps, and the node is in", async () => {
  const { status, text } = await typed(playground.host(2), `pvecm add ${hp1.ip()}`, [
    [/Are you sure you want to continue connecting\? \[y\/N\] /, "yes"],
    [/Please enter superuser \(root\) password for '[0-9.]+': /, token],
  ]);
  assert.equal(status, 0, text);
  assert.ok(!text.includes(token), "the password is shown nowhere");
  const steps = [
    "Establishing API connection with host",
    "Login succeeded.",
    "check cluster join",
    "Request addition of this node",
    "Join request OK, finishing setup locally",
    "waiting for quorum...OK",
    "successfully added node 'host2' to cluster.",
  ];
  const places = steps.map((step) => text.indexOf(step));
  assert.ok(
    places.every((place, index) => place > (places[index - 1] ?? -1)),
    text,
  );
  await settled(hp1, 2);
});

/** Nothing of a node is on the host, and the cluster heard of none. */
async function untouched(host: Host, nodes: number): Promise<void> {
  assert.equal((await host.exec(["test", "-e", "/var/lib/hansa/node.json"])).status, 1);
  assert.equal(
    sections((await pvecm(hp1, "status")).stdout).values.get("Config Version:"),
    `${nodes}`,
  );
}

test("a wrong password and a wrong fingerprint are refused, and neither side has changed", async () => {
  const three = playground.host(3);
  const wrong = await typed(three, `pvecm add ${hp1.ip()}`, [
    [/continue connecting\? \[y\/N\] /, "y"],
    [/password for '[0-9.]+': /, "not-the-password"],
  ]);
  assert.equal(wrong.status, 1);
  assert.match(
    wrong.text,
    /detected the following error\(s\):\n.*\* the token is not that of the cluster at /,
  );
  assert.doesNotMatch(wrong.text, /not-the-password/);
  const other = Array.from({ length: 32 }, () => "AB").join(":");
  const strange = await pvecm(three, "add", hp1.ip(), "--fingerprint", other);
  assert.equal(strange.status, 1);
  assert.match(strange.stderr, /has the fingerprint [0-9A-F:]{95}/);
  assert.doesNotMatch(strange.stdout, /Login/);
  await untouched(three, 2);
});

test("join-info is base64 of JSON whose fingerprint is the certificate's, and lets a host in without a question", async () => {
  const three = playground.host(3);
  const word = await must(hp1, "pvecm", "join-info");
  const info = JSON.parse(Buffer.from(word, "base64").toString());
  assert.equal(info.ipAddress, hp1.ip());
  assert.deepEqual(info.peerLinks, { 0: hp1.ip() });
  assert.equal(info.totem.cluster_name, "prod-central");
  assert.equal(info.totem.config_version, "2");
  const shown = `openssl s_client -connect ${hp1.ip()}:1443 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256`;
  assert.equal((await must(three, "sh", "-c", shown)).split("=")[1], info.fingerprint);
  assert.deepEqual(JSON.parse(await must(hp1, "hansa", "join-info", "--decode", word)), info);
  const bad = await pvecm(hp1, "join-info", "--decode", "bm9uc2Vuc2U=");
  assert.match(bad.stderr, /does not seem like a valid encoded cluster information/);
  const joined = await three.exec(["pvecm", "add", hp1.ip(), "--fingerprint", info.fingerprint], {
    ...{ stdin: `${token}\n`, timeoutMs: 180_000 },
  });
  assert.equal(joined.status, 0, joined.stdout + joined.stderr);
  assert.match(joined.stdout, /successfully added node 'host3' to cluster\.\n$/);
  await settled(hp1, 3);
});

test("all that is wrong with a host is told at once, nothing is changed, and what is mended is let in", async () => {
  const four = playground.host(4);
  await must(four, "hostname", "host2");
  const nft = [
    "add table inet closed",
    "add chain inet closed in { type filter hook input priority 0; }",
    "add rule inet closed in tcp dport 6783 drop",
    "add rule inet closed in udp dport 6784 drop",
    "add chain inet closed out { type filter hook output priority 0; }",
    "add rule inet closed out udp dport 6783 drop",
  ].join("; ");
  await must(four, "nft", nft);
  await must(four, "sh", "-c", `umask 077; echo ${token} > /root/token`);
  const line = ["add", hp1.ip(), "--token-file", "/root/token", "--nodeid", "3"];
  const refused = await four.exec(
    ["pvecm", ...line, "--link0", "192.0.2.77", "--link1", playground.host(2).ip()],
    { env: { HANSA_TEST_CLOCK_OFFSET_MS: "60000" }, timeoutMs: 120_000 },
  );
  assert.equal(refused.status, 1);
  for (const problem of [
    /detected the following error\(s\):/,
    /\* link0: 192\.0\.2\.77 is no address of this host/,
    /\* can't add existing node 'host2': node 2 has the name/,
    /\* the id 3 is taken by node 'host3'/,
    /\* the clocks differ by more than 5 s: here it is \d{4}-\S+ \S+, in the cluster \d{4}-/,
    /\* address '[0-9.]+' already used on link0 by node 'host2'/,
    /\* link1 was specified for the new node but doesn't exist in the cluster/,
    /check if node may join a cluster failed/,
  ]) {
    assert.match(refused.stderr, problem);
  }
  const closed = await pvecm(four, ...line);
  assert.equal(closed.status, 1);
  for (const member of ["host1", "host\\d"]) {
    assert.match(closed.stderr, new RegExp(`\\* ${member} does not reach host2 at 6783/tcp`));
  }
  assert.match(closed.stderr, /\* host1 does not reach host2 at 6784\/udp/);
  assert.match(closed.stderr, /\* host2 does not reach host1 at 6783\/udp/);
  assert.doesNotMatch(closed.stderr, /6784\/tcp|1443/);
  await untouched(four, 3);
  assert.doesNotMatch(await must(hp1, "nft", "list", "tables"), /hansa_join/);
  await must(four, "nft", "delete table inet closed");
  await must(four, "hostname", "host4");
  await must(four, "pvecm", "add", hp1.ip(), "--token-file", "/root/token", "--link0", four.ip());
});

test("pvecm status and pvecm nodes after adding 4 nodes: as the seed shows them", async () => {
  const stdout = await settled(playground.host(2), 4);
  const { values, rows } = sections(stdout);
  assert.deepEqual(
    ["Expected votes:", "Highest expected:", "Total votes:", "Quorum:", "Flags:", "Node ID:"].map(
      (label) => values.get(label),
    ),
    ["4", "4", "4", "3", "Quorate", "0x00000002"],
  );
  assert.deepEqual(
    rows,
    [1, 2, 3, 4].map(
      (id) => `0x0000000${id}          1 ${playground.host(id).ip()}${id === 2 ? " (local)" : ""}`,
    ),
  );
  assert.equal(
    (await pvecm(playground.host(2), "nodes")).stdout,
    [
      "Membership information",
      "----------------------",
      "    Nodeid      Votes Name",
      ...[1, 2, 3, 4].map(
        (id) => `         ${id}          1 host${id}${id === 2 ? " (local)" : ""}`,
      ),
      "",
    ].join("\n"),
  );
  assert.deepEqual(JSON.parse(await must(hp1, "hansa", "nodes", "-o", "json")).length, 4);
});

test("certificates of a host that joined are issued by the cluster's authority", async () => {
  for (const id of [1, 4]) {
    const at = `${playground.host(id).ip()}:1443`;
    const issuer = await must(
      playground.host(3),
      "sh",
      "-c",
      `openssl s_client -connect ${at} </dev/null 2>/dev/null | openssl x509 -noout -issuer -ext authorityKeyIdentifier`,
    );
    assert.match(issuer, /prod-central/);
  }
});

function valuesOf(stdout: string, ...labels: string[]): (string | undefined)[] {
  const { values } = sections(stdout);
  return labels.map((label) => values.get(label));
}

/** Waits until the status there shows these numbers, which follow a change by a moment; returns it. */
function counts(
  at: Host,
  withinMs: number,
  expected: Readonly<Record<string, number>>,
): Promise<string> {
  return eventually(`${JSON.stringify(expected)} on ${at.name}`, withinMs, async () => {
    const { stdout } = await pvecm(at, "status");
    const seen = valuesOf(stdout, ...Object.keys(expected));
    if (seen.join() === Object.values(expected).join()) return stdout;
    throw new Error(stdout);
  });
}

test("delnode: not oneself, nobody unknown; a node that is off is gone everywhere, its vote with it", async () => {
  const four = playground.host(4);
  const self = await pvecm(hp1, "delnode", "host1");
  assert.equal(self.status, 1);
  assert.match(self.stderr, /Cannot delete myself from cluster!/);
  const unknown = await pvecm(hp1, "delnode", "hp9");
  assert.equal(unknown.status, 3);
  assert.match(unknown.stderr, /Node\/IP: hp9 is not a known host of the cluster\./);
  await four.kill();
  // While any node hears it, it is not removed as one that is gone.
  for (const id of [1, 2, 3]) {
    await eventually(`host${id} lists host4 no more`, 30_000, async () => {
      const { stdout } = await pvecm(playground.host(id), "nodes");
      return stdout.includes("host4") ? undefined : true;
    });
  }
  await counts(hp1, 20_000, { "Nodes:": 3, "Expected votes:": 4, "Config Version:": 4 });
  const asked = await hp1.exec(["hansa", "delnode", "host4"], { timeoutMs: 60_000 });
  assert.equal(asked.status, 1, "without a terminal hansa wants --yes");
  await must(hp1, "pvecm", "delnode", "host4");
  for (const id of [1, 2, 3]) {
    const three = { "Nodes:": 3, "Expected votes:": 3, "Quorum:": 2, "Config Version:": 5 };
    await counts(playground.host(id), 20_000, three);
  }
});

test("a removed node that starts again is not let in with its old state; after hansa reset it is added anew, here without a vote", async () => {
  const four = playground.host(4);
  await four.boot();
  await eventually("it knows that it is out", 60_000, async () => {
    const { stdout } = await four.exec(["hansa", "status", "-o", "json"]);
    const warnings: { code: string }[] = JSON.parse(stdout).warnings;
    return warnings.some(({ code }) => code === "NODE_DEPARTED") ? true : undefined;
  });
  const { stdout } = await pvecm(hp1, "status");
  assert.deepEqual(valuesOf(stdout, "Nodes:", "Expected votes:", "Config Version:"), [
    "3",
    "3",
    "5",
  ]);
  await must(four, "hansa", "reset");
  await must(four, "sh", "-c", `umask 077; echo ${token} > /root/token`);
  const line = ["add", hp1.ip(), "--token-file", "/root/token", "--nodeid", "4", "--votes", "0"];
  await must(four, "pvecm", ...line);
  // A node, and its vote.
  const seen = await counts(hp1, 20_000, {
    "Nodes:": 4,
    "Expected votes:": 3,
    "Config Version:": 7,
  });
  assert.equal(sections(seen).rows[3], `0x00000004          0 ${four.ip()}`);
});

test("a node that is heard leaves by itself, once no container of its is on the network", async () => {
  const four = playground.host(4);
  await must(
    four,
    "docker",
    "run",
    "-d",
    "--name",
    "guest",
    "--network",
    "hansa",
    "busybox",
    "sleep",
    "1000",
  );
  await eventually("the container is known", 20_000, async () =>
    (await must(hp1, "hansa", "ps")).includes("guest") ? true : undefined,
  );
  const busy = await pvecm(hp1, "delnode", "host4");
  assert.equal(busy.status, 1);
  assert.match(busy.stderr, /node 4 \(host4\) runs containers on the network hansa: guest/);
  await must(four, "docker", "rm", "-f", "guest");
  await eventually("it is removed", 30_000, async () => {
    const { status, stderr } = await pvecm(hp1, "delnode", "host4");
    // A node that leaves cuts its own answer off: on a slow machine its goodbye may come after the command gave up.
    if (status !== 0 && !stderr.includes("host4 is not a known host")) throw new Error(stderr);
    return true;
  });
  await counts(hp1, 20_000, { "Nodes:": 3, "Config Version:": 8 });
  await must(four, "hansa", "reset");
});

test("two clusters of one name in one network never mix, whoever is told to connect to whom", async () => {
  const [five, six] = [playground.host(5), playground.host(6)];
  const links = (host: Host) => ["--link0", host.ip(), "--link1", host.ip(1)];
  await must(five, "pvecm", "create", "prod-central", ...links(five));
  const other = await must(five, "hansa", "token", "show");
  assert.notEqual(other, token);
  const theirs = { stdin: `${token}\n`, timeoutMs: 120_000 };
  const wrong = await six.exec(["pvecm", "add", five.ip(), ...links(six)], theirs);
  assert.equal(wrong.status, 1);
  assert.match(wrong.stderr, /\* the token is not that of the cluster at /);
  const ours = { stdin: `${other}\n`, timeoutMs: 120_000 };
  const single = await six.exec(["pvecm", "add", five.ip(), "--link0", six.ip()], ours);
  assert.equal(single.status, 1);
  assert.match(single.stderr, /\* link1 exists in the cluster but wasn't specified/);
  const added = await six.exec(["pvecm", "add", five.ip(), ...links(six)], ours);
  assert.equal(added.status, 0, added.stdout + added.stderr);
  const { peerLinks } = JSON.parse(await must(six, "pvecm", "join-info", "--decode"));
  assert.deepEqual(peerLinks, { 0: six.ip(), 1: six.ip(1) });
  await must(five, "hansa", "connect", "host1");
  await must(hp1, "hansa", "connect", "host6");
  await eventually("the refusal is seen", 30_000, async () => {
    const { stdout } = await five.exec(["hansa", "status", "--connections", "-o", "json"]);
    const rows: { error: string | null; address: string }[] = JSON.parse(stdout).connections;
    return rows.some(({ error }) => error !== null) ? true : undefined;
  });
  const listed = async (host: Host) => sections((await pvecm(host, "nodes")).stdout).rows;
  assert.deepEqual(await listed(six), [
    "         1          1 host5",
    "         2          1 host6 (local)",
  ]);
  assert.deepEqual(
    (await listed(hp1)).map((row) => row.trim().split(/\s+/)[2]),
    ["host1", "host2", "host3"],
  );
});

test("a host that is a node and holds containers is refused; --force copies to a file what it was, and takes it in, beside another host that joins", async () => {
  const six = playground.host(6);
  await must(
    six,
    "docker",
    "run",
    "-d",
    "--name",
    "guest",
    "--network",
    "hansa",
    "busybox",
    "sleep",
    "1000",
  );
  await must(six, "sh", "-c", `umask 077; echo ${token} > /root/token`);
  const line = ["add", hp1.ip(), "--token-file", "/root/token"];
  const refused = await pvecm(six, ...line);
  assert.equal(refused.status, 1);
  assert.match(
    refused.stderr,
    /\* this host is node 2 \(host6\) of the cluster prod-central already/,
  );
  assert.match(refused.stderr, /\* this host already has containers on the network hansa: guest/);
  assert.ok((await pvecm(six, "nodes")).stdout.includes("host5"), "nothing was changed");
  const four = playground.host(4);
  await must(four, "sh", "-c", `umask 077; echo ${token} > /root/token`);
  const elsewhere = ["add", playground.host(2).ip(), "--token-file", "/root/token"];
  const [forced, fresh] = await Promise.all([
    pvecm(six, ...line, "--force"),
    pvecm(four, ...elsewhere),
  ]);
  assert.equal(fresh.status, 0, fresh.stdout + fresh.stderr);
  assert.equal(forced.status, 0, forced.stdout + forced.stderr);
  const [, file = ""] = /backup of the old node to '(.+)'/.exec(forced.stdout) ?? [];
  assert.match(await must(six, "tar", "-tzf", file), /^hansa\/identity\.json$/m);
  assert.equal(await must(six, "stat", "-c", "%a %U", file), "600 root");
  // Each once.
  await counts(six, 20_000, { "Nodes:": 5, "Config Version:": 10 });
  const ids = sections((await pvecm(six, "nodes")).stdout).rows.map((row) =>
    Number.parseInt(row, 10),
  );
  assert.deepEqual(ids, [1, 2, 3, 4, 5]);
});

test("a node that is cut off is not quorate: exit 2, Activity blocked, and it removes nobody", async () => {
  await playground.part([[1], [2, 3, 4, 5, 6]]);
  const seen = await eventually("host1 is not quorate", 30_000, async () => {
    const { status, stdout } = await pvecm(hp1, "status");
    return status === 2 ? stdout : undefined;
  });
  assert.match(seen, /^Quorate: {10}No$/m);
  assert.match(seen, /^Quorum: {11}\d Activity blocked$/m);
  const refused = await pvecm(hp1, "delnode", "host3");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /are needed: no node can be removed/);
  // The other side may still be about to choose who leads.
  await eventually("host2 is quorate", 30_000, async () => {
    const { status, stdout } = await pvecm(playground.host(2), "status");
    if (status !== 0) throw new Error(stdout);
    return true;
  });
});
