/** What is open to whom, when it dials, and what the commands print in which form. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import { eventually, fullMesh, hansa, hosts, must, serve, status, TOKEN } from "./cluster.ts";

let playground: Playground;
let first: Host;
let second: Host;
let third: Host;
/** Other than the default: what follows shows that it is one setting for all parts. */
const SUBNET = "10.200.0.0/16";

before(async () => {
  playground = await hosts("e2ej", 3);
  [first, second, third] = [1, 2, 3].map((id) => playground.host(id)) as [Host, Host, Host];
});
after(() => playground?.down());

async function renew(host: Host): Promise<void> {
  await host.kill();
  await host.wipe();
  await host.boot();
}

function launchIn(subnet: string, host: Host, ...targets: string[]): Promise<string> {
  const words = ["--id", `${host.number}`, "--token-file", "-", "--subnet", subnet, ...targets];
  const line = ["sh", "-c", `echo '${TOKEN}' | hansa launch "$@"`, "sh", ...words];
  return must(host, ...line);
}

test("the subnet is a choice, the token may come by standard input, and addresses are of that subnet", async () => {
  assert.equal(await launchIn(SUBNET, first, "host1", "host2"), "[1] Node launched");
  assert.equal(await launchIn(SUBNET, second), "[2] Node launched");
  await fullMesh([first, second], 15_000);
  assert.match(await serve(first, "c1"), /^10\.200\.(12[89]|1[3-5]\d)\./);
  assert.match(await serve(second, "c2"), /^10\.200\.(1[6-9]\d|19[01])\./);
  const c2 = await must(
    second,
    ...["docker", "inspect", "-f", "{{.NetworkSettings.Networks.hansa.IPAddress}}", "c2"],
  );
  assert.equal(
    await must(first, "docker", "exec", "c1", "wget", "-qO-", "-T", "10", `http://${c2}/`),
    "c2",
  );
});

test("a node of another subnet is not let in, and says why; the others keep their rings", async () => {
  const before = (await status(first)).ipam;
  assert.equal(await launchIn("10.32.0.0/12", third, "host1"), "[3] Node launched");
  await eventually("a reason that names the subnet", 15_000, async () => {
    const text = await must(third, "hansa", "status", "-o", "json");
    const { connections, warnings } = JSON.parse(text);
    const told = JSON.stringify([connections, warnings]);
    if (!/subnet/.test(told)) throw new Error(told);
    return true;
  });
  const now = await status(first);
  assert.deepEqual(
    now.ipam.entries.map(({ id, addresses }) => [id, addresses]),
    before.entries.map(({ id, addresses }) => [id, addresses]),
  );
  assert.ok(now.connections.every(({ peer, state }) => peer?.id !== 3 || state !== "established"));
  await renew(third);
});

test("6783 and 6784 by TCP and UDP are open, the API's 1443, names inside the overlay, and nothing else", async () => {
  const listed = await must(first, "ss", "-Hltun");
  const { dns } = JSON.parse(await must(first, "hansa", "status", "-o", "json"));
  const open = listed.split("\n").map((line) => {
    const [protocol = "", , , , local = ""] = line.trim().split(/\s+/);
    const isInside = local.startsWith(`${dns.address}:`);
    return `${protocol} ${local.slice(local.lastIndexOf(":") + 1)}${isInside ? " inside" : ""}`;
  });
  assert.deepEqual([...new Set(open)].sort(), [
    "tcp 1443",
    "tcp 53 inside",
    "tcp 6783",
    "tcp 6784",
    "udp 53 inside",
    "udp 6783",
    "udp 6784",
    "udp 6785 inside",
  ]);
  // And so from another host: everything below 10,000 and Docker's usual range.
  const scan = `import socket,select
def scan(ports):
  waiting={}
  for port in ports:
    s=socket.socket(); s.setblocking(False); s.connect_ex(("${first.ip(0)}",port)); waiting[s]=port
  found=[]
  while waiting:
    _,ready,_=select.select([],list(waiting),[],3)
    if not ready: break
    for s in ready:
      if s.getsockopt(socket.SOL_SOCKET,socket.SO_ERROR)==0: found.append(waiting[s])
      del waiting[s]; s.close()
  return found
print(sum((scan(range(at,at+500)) for at in [*range(1,10000,500),49152]),[]))`;
  assert.equal(await must(third, "python3", "-c", scan), "[1443, 6783, 6784]");
});

test("sockets and secrets belong to root alone", async () => {
  for (const [path, mode] of [
    ["/run/hansa/hansa.sock", "600"],
    ["/run/hansa/ipam.sock", "600"],
    ["/run/hansa/control.sock", "600"],
    ["/var/lib/hansa/identity.json", "600"],
    ["/var/lib/hansa/node.json", "600"],
    ["/var/lib/hansa/membership.json", "600"],
  ] as const) {
    assert.equal(await must(first, "stat", "-c", "%a %U", path), `${mode} root`, path);
  }
  // A user of the host can neither ask nor command.
  const user = ["setpriv", "--reuid=1000", "--clear-groups"];
  const answer = await first.exec([...user, "hansa", "connect", "host9"]);
  assert.equal(answer.status, 1);
  assert.match(answer.stderr, /root privileges required/);
});

test("a node that is its own target sends itself nothing", async () => {
  const filter = "tcp dst port 6783 and tcp[tcpflags] == tcp-syn";
  const heard = await first.exec(["timeout", "5", "tcpdump", "-lni", "lo", filter]);
  assert.equal(heard.stdout.trim(), "");
});

test("a link that was cut long enough to be given up is back without a hand", async () => {
  await playground.cut(2);
  await eventually("the cut is noticed", 30_000, async () =>
    (await status(first)).connections.some(
      ({ peer, state }) => peer?.id === 2 && state === "retrying",
    )
      ? true
      : undefined,
  );
  await playground.mend(2);
  await fullMesh([first, second], 15_000);
});

test("connect dials at once what it was waiting to dial again", async () => {
  await must(first, "hansa", "connect", third.ip(0));
  const row = await eventually("a wait of 4 s or more", 30_000, async () =>
    (await status(first)).connections.find(
      ({ address, retryAt }) =>
        address.startsWith(third.ip(0)) && Date.parse(retryAt ?? "") > Date.now() + 4_000,
    ),
  );
  assert.equal(row.state, "retrying");
  const filter = `tcp dst port 6783 and tcp[tcpflags] == tcp-syn and src host ${first.ip(0)}`;
  const capture = third.spawn(["tcpdump", "-lni", "any", "--immediate-mode", filter]);
  let [lines, words] = ["", ""];
  capture.stdout.on("data", (chunk) => {
    lines += chunk;
  });
  capture.stderr.on("data", (chunk) => {
    words += chunk;
  });
  try {
    await eventually("tcpdump listens", 5_000, async () =>
      words.includes("listening") ? true : undefined,
    );
    await must(first, "hansa", "connect", third.ip(0));
    await eventually("a packet that opens a connection", 1_500, async () =>
      lines.includes("6783") ? true : undefined,
    );
  } finally {
    capture.kill("SIGKILL");
  }
});

test("prime that is interrupted ends at once, and the node answers on", async () => {
  // Nobody dials it, neither as a target nor as the node that was there before, so that it waits in vain.
  for (const host of [first, second]) await must(host, "hansa", "forget", third.ip(0));
  const words = ["--id", "9", "--token", TOKEN, "--subnet", SUBNET];
  await must(third, "hansa", "launch", ...words);
  const started = fairNow();
  const prime = await third.exec(["timeout", "-s", "INT", "1", "hansa", "prime"]);
  assert.ok(fairNow() - started < 3_000);
  assert.equal(prime.status, 124, "it was ready, or deaf");
  assert.equal(prime.stdout, "");
  assert.doesNotMatch(prime.stderr, /\bat .*[.:]\d+:\d+/, "a stack trace");
  assert.equal((await status(third)).node.id, 9);
  const waiting = third.exec(["hansa", "prime"], { timeoutMs: 120_000 });
  await must(third, "hansa", "connect", "host1");
  assert.equal((await waiting).stdout.trim(), "[9] Node ready");
});

test("status prints its sections in one order, data and headings apart, and the same in JSON and YAML", async () => {
  for (const [program, sections] of [
    ["overnode", ["Targets", "Peers", "Connections", "DNS", "IPAM"]],
    ["hansa", ["Node", "Targets", "Peers", "Connections", "DNS", "IPAM"]],
  ] as const) {
    const all = await first.exec([program, "status"]);
    assert.equal(all.status, 0, all.stderr);
    const headings = sections.map((section) => `[${program}] ${section} status:`).join("\n");
    assert.equal(all.stderr.trim(), headings);
    assert.doesNotMatch(all.stdout, /status:/);
  }
  const some = await first.exec(["overnode", "status", "--ipam", "--targets"]);
  assert.deepEqual(some.stderr.trim().split("\n"), [
    "[overnode] Targets status:",
    "[overnode] IPAM status:",
  ]);
  assert.match(some.stdout, /^host1\nhost2\n/);
  assert.match(some.stdout, /^1\(host1\) +\d+ IPs \(\d+\.\d% of total\) \(1 active\)$/m);
  const json = JSON.parse(await must(first, "hansa", "status", "-o", "json"));
  const yaml = parse(await must(first, "hansa", "status", "-o", "yaml"));
  assert.deepEqual(Object.keys(yaml), Object.keys(json));
  assert.deepEqual(yaml.targets, json.targets);
  const bad = await hansa(first, "status", "--endpointz");
  assert.equal(bad.status, 1);
  assert.match(bad.stderr, /--help/);
});

test("every command explains itself with --help, without root, Docker or a node", async () => {
  const commands = [
    "launch",
    "connect",
    "forget",
    "status",
    "prime",
    "inspect",
    "resume",
    "reset",
    "ipam",
    "doctor",
    "install",
    "upgrade",
  ];
  for (const command of [...commands, "playground", "version"]) {
    const answer = await third.exec([
      ...["setpriv", "--reuid=1000", "--clear-groups", "hansa", command, "--help"],
    ]);
    assert.equal(answer.status, 0, `${command}: ${answer.stderr}`);
    assert.match(answer.stdout, new RegExp(`Usage: hansa ${command}`));
  }
});
