/** From a machine that is no node into containers on any node: exec, logs, cp, top, stats, port-forward and events. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { type Answer, eventually, hosts, launchTogether, must, NETWORK } from "./cluster.ts";

let playground: Playground;
let one: Host;
let two: Host;
/** No node: it has a context for host1 only, in its order. */
let laptop: Host;

/** The hosts of a playground share their home, so contexts go elsewhere. */
const OURS = ["env", "HANSA_CONTEXTS=/tmp/contexts"] as const;

before(async () => {
  playground = await hosts("e2ereach", 3);
  [one, two, laptop] = [1, 2, 3].map((number) => playground.host(number)) as [Host, Host, Host];
  await launchTogether([one, two]);
  const sleeper = ["busybox", "sleep", "100000"];
  await Promise.all([
    must(one, "docker", "run", "-d", "--name", "near", ...NETWORK, ...sleeper),
    must(two, "docker", "run", "-d", "--name", "far", ...NETWORK, ...sleeper),
    must(one, "docker", "run", "-d", "--name", "twin", ...NETWORK, ...sleeper),
    must(two, "docker", "run", "-d", "--name", "twin", ...NETWORK, ...sleeper),
    must(two, "docker", "run", "-d", "--name", "private", ...sleeper),
  ]);
  for (const [name, role] of [
    ["ops", "operator"],
    ["eve", "viewer"],
    ["root", "admin"],
  ]) {
    const exported = ["context", "export", "--role", `${role}`, "--for", `${name}`];
    const words = (await must(one, "hansa", ...exported)).split(" ");
    await must(laptop, ...OURS, "hansa", "context", "import", ...words, "--name", `${name}`);
  }
  await must(laptop, ...OURS, "hansa", "context", "switch", "ops");
  await eventually("host1 knows what runs on host2", 10_000, async () =>
    (await ran("exec", "far", "true")).status === 0 ? true : undefined,
  );
});
after(() => playground?.down());

function ran(...words: string[]): Promise<Answer> {
  return laptop.exec([...OURS, "hansa", ...words], { timeoutMs: 120_000 });
}

function prints(...words: string[]): Promise<string> {
  return must(laptop, ...OURS, "hansa", ...words);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

test("exec on any node: outputs apart, the command's own exit status, user, folder and variables", async () => {
  for (const container of ["near", "far", "host2/far", "2/far"]) {
    const answer = await ran("exec", container, "sh", "-c", "echo out; echo bad >&2; exit 3");
    assert.deepEqual(answer, { status: 3, stdout: "out\n", stderr: "bad\n" });
  }
  assert.equal((await ran("exec", "far", "true")).status, 0);
  assert.equal((await ran("exec", "far", "no-such-program")).status, 127);
  const told = "pwd; echo $A $B; id -u";
  const options = ["-w", "/tmp", "-e", "A=1", "--env", "B=two words", "-u", "65534"];
  assert.equal(
    await prints("exec", ...options, "far", "sh", "-c", told),
    "/tmp\n1 two words\n65534",
  );
  assert.equal(
    await must(two, "hansa", "exec", "near", "hostname"),
    await prints("exec", "near", "hostname"),
  );
});

test("exec -i takes bytes in and out as they are, a megabyte of them", async () => {
  const bytes = randomBytes(1024 * 1024);
  for (const container of ["near", "far"]) {
    const argv = [...OURS, "hansa", "exec", "-i", container, "sha256sum"];
    const { stdout } = await laptop.exec(argv, { stdin: bytes });
    assert.equal(stdout.split(" ")[0], sha256(bytes));
    const back = `${OURS.join(" ")} hansa exec -i ${container} cat | sha256sum`;
    const echoed = await laptop.exec(["sh", "-c", back], { stdin: bytes });
    assert.equal(echoed.stdout.split(" ")[0], sha256(bytes));
  }
});

test("exec refuses what is ambiguous, unknown, outside of the network, and whoever only reads", async () => {
  const twin = await ran("exec", "twin", "true");
  assert.equal(twin.status, 1);
  assert.match(
    twin.stderr,
    /Error: twin may be any of host1\/twin, host2\/twin\n.*Hint: name the node too/,
  );
  assert.equal((await ran("exec", "host2/twin", "true")).status, 0);
  assert.equal((await ran("exec", "nowhere", "true")).status, 3);
  assert.equal((await ran("exec", "host7/far", "true")).status, 3);
  const outside = await ran("exec", "host2/private", "true");
  assert.match(
    outside.stderr,
    /Error: the container private is not on the network hansa, and ops is operator/,
  );
  assert.equal((await ran("--context", "root", "exec", "host2/private", "true")).status, 0);
  const viewer = await ran("--context", "eve", "exec", "far", "touch", "/tmp/eve");
  assert.equal(viewer.status, 1);
  assert.match(
    viewer.stderr,
    /Error: running a command in a container needs the role operator, and eve is viewer/,
  );
  assert.equal((await ran("exec", "far", "ls", "/tmp/eve")).status, 1);
  const log = await must(two, "cat", "/var/lib/hansa/log/audit.log");
  assert.match(
    log,
    /"who":"ops","role":"operator".*"via":"host1","operation":"exec","container":"host2\/far","result":"ok"/,
  );
  assert.doesNotMatch(log, /sha256sum|two words/);
});

test("exec -t: the terminal has our size, follows its changes, takes Ctrl-C, and ours is restored", async () => {
  // Without a line editor in between: that of busybox asks the terminal where its cursor is, and swallows what comes instead.
  const asked = `trap "echo caught" INT; stty size; while :; do read word; stty size; [ "$word" = end ] && exit 9; done`;
  const inner = [
    "stty rows 31 cols 77",
    `${OURS.join(" ")} hansa exec -it far sh -c '${asked}'`,
    "echo status $?",
    "stty -a | grep -o -- '-\\?icanon'",
  ].join("; ");
  // util-linux's script gives a terminal; what is typed goes through its standard input.
  const child = laptop.spawn(["script", "-qefc", inner, "/dev/null"]);
  let seen = "";
  child.stdout.on("data", (chunk: Buffer) => {
    seen += chunk.toString();
  });
  const until = (what: RegExp) =>
    eventually(`${what}`, 15_000, async () => {
      if (what.test(seen)) return true;
      throw new Error(`seen: ${seen}`);
    });
  try {
    // The first size may come just after the command began: Docker before 23 has no other way.
    const asks = (size: RegExp) =>
      eventually(`${size}`, 15_000, async () => {
        if (size.test(seen)) return true;
        child.stdin.write("\r");
        await new Promise((resolve) => setTimeout(resolve, 200));
        throw new Error(`seen: ${seen}`);
      });
    await until(/stty|31 77/);
    await asks(/31 77\r+\n/);
    const pts = await must(laptop, "sh", "-c", "ls -t /dev/pts | grep -v ptmx | head -1");
    await must(laptop, "stty", "-F", `/dev/pts/${pts}`, "rows", "12", "cols", "50");
    await asks(/12 50\r+\n/);
    child.stdin.write("\x03");
    await until(/caught/);
    child.stdin.write("end\r");
    await until(/status 9/);
    await until(/^icanon/m);
  } finally {
    child.kill("SIGKILL");
  }
});

test("logs of several nodes come in order of time, by tail and since, with their names; a viewer may read", async () => {
  const count = "for i in 1 2 3; do echo $NAME $i; echo $NAME bad $i >&2; sleep 0.3; done";
  await Promise.all(
    [one, two].map((host) =>
      must(
        host,
        ...["docker", "run", "-d", "--name", `count${host.number}`, "-e", `NAME=c${host.number}`],
        ...[...NETWORK, "busybox", "sh", "-c", count],
      ),
    ),
  );
  const full = await eventually("both logs are whole", 15_000, async () => {
    const answer = await ran("--context", "eve", "logs", "host1/count1", "host2/count2");
    return answer.stdout.split("\n").length === 7 ? answer : undefined;
  });
  assert.match(full.stdout, /^host1\/count1 \| c1 1$/m);
  assert.equal(full.stderr.split("\n").filter((line) => / c[12] bad \d$/.test(line)).length, 6);
  const timed = await ran("logs", "--timestamps", "host1/count1", "host2/count2");
  const times = timed.stdout.split("\n").flatMap((line) => / \| (\S+Z) /.exec(line)?.[1] ?? []);
  assert.deepEqual([times.length, times], [6, times.toSorted()]);
  assert.equal((await ran("logs", "--tail", "2", "host2/count2")).stdout, "c2 3\n");
  const since = times[4] ?? "";
  const late = await ran("logs", "--since", since, "host1/count1", "host2/count2");
  assert.equal(late.stdout.split("\n").filter(Boolean).length, 2);
  assert.equal((await ran("logs", "--since", "soon", "host2/count2")).status, 1);
});

test("logs -f goes on over a restart of the far daemon and one of the near, without a line twice or left out", async () => {
  const counting = "i=0; while :; do i=$((i+1)); echo line $i; usleep 20000; done";
  const options = ["run", "-d", "--name", "talker", ...NETWORK, "busybox", "sh", "-c", counting];
  await must(two, "docker", ...options);
  const child = laptop.spawn([...OURS, "hansa", "logs", "-f", "host2/talker"]);
  let [shown, said] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    shown += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const lines = () => shown.split("\n").slice(0, -1);
  const more = async (what: string) => {
    const had = lines().length;
    await eventually(what, 40_000, async () => (lines().length > had + 50 ? true : undefined));
  };
  try {
    await more("the log begins");
    for (const host of [two, one]) {
      await must(host, "sh", "-c", "kill -9 $(cat /run/hansa/daemon.pid | cut -d' ' -f1)");
      await eventually("the break is told", 20_000, async () =>
        /connection to the log of host2\/talker was lost/.test(said) ? true : undefined,
      );
      await more(`the log goes on after ${host.name}'s daemon was killed`);
    }
    assert.deepEqual(
      lines(),
      lines().map((_, index) => `line ${index + 1}`),
    );
  } finally {
    child.kill("SIGKILL");
    await must(two, "docker", "rm", "-f", "talker");
  }
});

test("port-forward leads HTTP into a container on another node, several connections at once; a closed port is told", async () => {
  const serve =
    "mkdir /w; head -c 300000 /dev/zero > /w/big; echo hello > /w/x; httpd -f -p 80 -h /w";
  await must(two, "docker", "run", "-d", "--name", "www", ...NETWORK, "busybox", "sh", "-c", serve);
  const forward = ["port-forward", "host2/www", "18080:80", "18081:81"];
  const child = laptop.spawn([...OURS, "hansa", ...forward]);
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const get = (path: string) => laptop.exec(["busybox", "wget", "-q", "-O", "-", path]);
  try {
    await eventually("it serves", 15_000, async () =>
      (await get("http://127.0.0.1:18080/x")).stdout === "hello\n" ? true : undefined,
    );
    assert.match(said, /127\.0\.0\.1:18080 leads to port 80 of host2\/www/);
    const all = await Promise.all(
      Array.from({ length: 8 }, () => get("http://127.0.0.1:18080/big")),
    );
    assert.deepEqual(
      all.map(({ status: exit, stdout }) => [exit, stdout.length]),
      all.map(() => [0, 300_000]),
    );
    assert.notEqual((await get("http://127.0.0.1:18081/")).status, 0);
    assert.match(said, /a connection to host2\/www was closed: .*:81 does not answer/);
    // On loopback only.
    assert.notEqual((await get(`http://${laptop.ip()}:18080/x`)).status, 0);
  } finally {
    child.kill("SIGINT");
  }
  const viewer = laptop.spawn([
    ...OURS,
    "hansa",
    "--context",
    "eve",
    "port-forward",
    "far",
    "18090:80",
  ]);
  let words = "";
  viewer.stderr.on("data", (chunk: Buffer) => {
    words += chunk.toString();
  });
  try {
    await eventually("a viewer's connection is refused", 15_000, async () => {
      await get("http://127.0.0.1:18090/");
      return /forwarding a port to a container needs the role operator, and eve is viewer/.test(
        words,
      )
        ? true
        : undefined;
    });
  } finally {
    viewer.kill("SIGINT");
  }
});

test("top and stats show containers of any node", async () => {
  assert.match(await prints("top", "far"), /^UID .*CMD\nroot .* sleep 100000$/);
  assert.match(await prints("top", "far", "-o", "pid,cmd"), /^PID +CMD\n\d+ +sleep 100000$/);
  const rows = JSON.parse(await prints("stats", "--no-stream", "-o", "json"));
  const names = rows.map(({ container }: { container: string }) => container);
  assert.ok(names.includes("host1/near") && names.includes("host2/far"));
  assert.ok(rows.every(({ memory, processes }: Record<string, number>) => memory && processes));
  assert.match(await prints("stats", "--no-stream", "far"), /^NAME .*\nhost2\/far +\d/);
  assert.equal((await ran("stats", "--no-stream", "nowhere")).status, 1);
});

test("a node that dies in the middle of a command: its client says so and ends with 125", async () => {
  const running = ran("exec", "far", "sleep", "1000");
  await eventually("the command runs", 15_000, async () =>
    (await ran("top", "far")).stdout.includes("sleep 1000\n") ? true : undefined,
  );
  await must(two, "sh", "-c", "kill -9 $(cat /run/hansa/daemon.pid | cut -d' ' -f1)");
  const answer = await running;
  assert.equal(answer.status, 125);
  assert.match(
    answer.stderr,
    /Error: the connection to host2\/far was lost while the command ran: what it did until then stays, and whether it goes on is not known/,
  );
  await eventually("host2 answers again", 20_000, async () =>
    (await ran("exec", "far", "true")).status === 0 ? true : undefined,
  );
});

test("events tell starts and ends on any node, and since when; a stopped container is found too", async () => {
  const child = laptop.spawn([...OURS, "hansa", "--context", "eve", "events", "--since", "1h"]);
  let shown = "";
  child.stdout.on("data", (chunk: Buffer) => {
    shown += chunk.toString();
  });
  const until = (what: RegExp) =>
    eventually(`${what}`, 20_000, async () => {
      if (what.test(shown)) return true;
      throw new Error(`shown: ${shown}`);
    });
  try {
    await until(/^\S+Z host2\/far running$/m);
    await must(
      two,
      "docker",
      "run",
      "-d",
      "--name",
      "brief",
      ...NETWORK,
      "busybox",
      "sh",
      "-c",
      "until [ -e /go ]; do usleep 50000; done; exit 5",
    );
    await until(/^\S+Z host2\/brief running$/m);
    await must(two, "docker", "exec", "brief", "touch", "/go");
    await until(/^\S+Z host2\/brief \S+ \(5\)$/m);
    assert.equal((await ran("logs", "brief")).status, 0);
    await must(two, "docker", "rm", "brief");
    await until(/^\S+Z host2\/brief removed$/m);
  } finally {
    child.kill("SIGINT");
  }
});

test("cp both ways with modes kept, a folder and its contents, archives by -, and what is refused", async () => {
  const sh = (script: string) => must(laptop, "sh", "-c", script);
  await sh(
    "mkdir -p /tmp/cp/in/sub; cd /tmp/cp/in; head -c 3000000 /dev/urandom > big; echo '#!' > sub/run; chmod 751 sub/run; ln -s sub/run link",
  );
  await prints("cp", "/tmp/cp/in", "far:/root");
  assert.equal(await prints("exec", "far", "stat", "-c", "%a %u", "/root/in/sub/run"), "751 0");
  assert.equal(await prints("exec", "far", "readlink", "/root/in/link"), "sub/run");
  const sum = await sh("sha256sum < /tmp/cp/in/big");
  assert.equal(await prints("exec", "far", "sh", "-c", "sha256sum < /root/in/big"), sum);
  await prints("cp", "far:/root/in", "/tmp/cp/out");
  assert.equal(
    await sh("sha256sum < /tmp/cp/out/big; stat -c %a /tmp/cp/out/sub/run"),
    `${sum}\n751`,
  );
  await prints("cp", "/tmp/cp/in/sub/.", "far:/root/contents");
  assert.equal(await prints("exec", "far", "ls", "/root/contents"), "run");
  await prints("cp", "far:/root/in/sub/run", "/tmp/cp/renamed");
  await prints("cp", "/tmp/cp/renamed", "far:/root/other-name");
  assert.equal(await prints("exec", "far", "cat", "/root/other-name"), "#!");
  const piped = `${OURS.join(" ")} hansa cp far:/root/in - | tar -tf - | sort | tr '\\n' ' '`;
  assert.equal(await sh(piped), "in/ in/big in/link in/sub/ in/sub/run");
  await sh(`tar -C /tmp/cp -cf - in | ${OURS.join(" ")} hansa cp - near:/root`);
  assert.equal(await prints("exec", "near", "sh", "-c", "sha256sum < /root/in/big"), sum);
  assert.equal((await ran("cp", "far:/no/such", "/tmp/cp/x")).status, 3);
  assert.equal((await ran("cp", "/tmp/cp/in", "far:/no/such/place")).status, 3);
  assert.equal((await ran("cp", "/tmp/cp/none", "far:/root")).status, 1);
  const viewer = await ran("--context", "eve", "cp", "far:/etc/passwd", "-");
  assert.match(viewer.stderr, /copying files out of a container needs the role operator/);
});

/** Into far, by the test of cp. */
const COPIES_BEFORE = 3;

test("a host that loses its power in the middle of a command, a copy and a log: each is told", async () => {
  const piped = (script: string) => laptop.exec(["sh", "-c", script], { timeoutMs: 120_000 });
  const hansa = `${OURS.join(" ")} hansa`;
  const command = ran("exec", "far", "sleep", "2000");
  const log = laptop.spawn([...OURS, "hansa", "logs", "-f", "host2/far"]);
  let said = "";
  log.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  try {
    await eventually("the command runs", 20_000, async () =>
      (await ran("top", "far")).stdout.includes("sleep 2000\n") ? true : undefined,
    );
    const copy = piped(
      `{ tar -C /tmp/cp -cf - in; sh -c 'echo $$ >/tmp/holder; exec sleep 100'; } | { ${hansa} cp - far:/root; echo "status $?" >&2; }`,
    );
    // Docker answers nothing about a container while it unpacks into it.
    const entry = /"operation":"writeArchive","container":"host2\/far","result":"ok"/g;
    await eventually("the copy runs", 20_000, async () => {
      const audit = await must(two, "cat", "/var/lib/hansa/log/audit.log");
      return (audit.match(entry)?.length ?? 0) > COPIES_BEFORE ? true : undefined;
    });
    await two.kill();
    const lost = await command;
    assert.equal(lost.status, 125);
    assert.match(lost.stderr, /the connection to host2\/far was lost while the command ran/);
    await eventually("the log is waited for", 20_000, async () =>
      /connection to the log of host2\/far was lost before its first line; trying again/.test(said)
        ? true
        : undefined,
    );
    await must(laptop, "sh", "-c", "kill $(cat /tmp/holder)");
    const cut = await copy;
    assert.match(
      cut.stderr,
      /the connection was lost while far:\/root was copied: what had arrived until then stays/,
    );
    assert.match(cut.stderr, /status 125/);
  } finally {
    log.kill("SIGKILL");
  }
});
