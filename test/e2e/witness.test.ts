/** A witness: a third vote for two nodes, on a box whose Docker is stopped and that never sees the token. Acceptance P-30. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { QuorumView } from "../../src/api/quorum-schemas.ts";
import type { StoreView } from "../../src/api/store-schemas.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import {
  type Answer,
  eventually,
  fullMesh,
  hansa,
  hosts,
  launch,
  launchTogether,
  must,
  TOKEN,
} from "./cluster.ts";
import { got, put } from "./store-entries.ts";

let playground: Playground;
let one: Host;
let two: Host;
let three: Host;
let box: Host;
const WHERE = "/var/lib/hansa/witness";

before(async () => {
  playground = await hosts("e2ewt", 4);
  [one, two, three, box] = [1, 2, 3, 4].map((id) => playground.host(id)) as [
    Host,
    Host,
    Host,
    Host,
  ];
  await box.stopDocker();
  await launchTogether([one, two]);
  await must(one, "hansa", "create", "prod");
  await settled(one, 2);
});
after(() => playground?.down());

async function store(host: Host): Promise<StoreView> {
  const { stdout, stderr } = await hansa(host, "store", "-o", "json");
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

/** So many votes, of which so many answer, and a majority. */
function settled(host: Host, votes: number, answering = votes): Promise<StoreView> {
  return eventually(`${answering} of ${votes} votes at ${host.name}`, 90_000, async () => {
    const seen = await store(host);
    const { expected, answering: now } = seen.votes;
    if (seen.quorate && expected === votes && now === answering) return seen;
    throw new Error(JSON.stringify(seen));
  });
}

function votesOf({ voters }: StoreView): number[] {
  return voters.filter(({ hasVote }) => hasVote).map(({ id }) => id);
}

/** The code that the box shows; it waits from now on. */
async function code(): Promise<string> {
  const [, shown = ""] = /^code: (\S+)$/m.exec(await must(box, "hansa", "qdevice", "serve")) ?? [];
  assert.match(shown, /^([a-z0-9]{4}-){3}[a-z0-9]{4}$/);
  return shown;
}

function setup(host: Host, typed: string, ...more: string[]): Promise<Answer> {
  const argv = ["hansa", "qdevice", "setup", "host4", ...more];
  return host.exec(argv, { stdin: `${typed}\n`, timeoutMs: 300_000 });
}

async function written(host: Host, value: string): Promise<void> {
  await put(host, "motd", value);
  assert.equal(await got(host, "motd"), value);
}

test("nothing is changed for a box that does not wait, a wrong code, or another key than was meant", async () => {
  const nobody = await setup(one, "aaaa-aaaa-aaaa-aaaa");
  assert.equal(nobody.status, 1);
  assert.match(nobody.stderr, /Error: the witness at host4:5403 is not reached/);
  await code();
  const wrong = await setup(one, "aaaa-aaaa-aaaa-aaaa");
  assert.equal(wrong.status, 1);
  assert.match(wrong.stderr, /Error: the code is not that of this witness/);
  const none = await hansa(one, "qdevice", "remove");
  assert.deepEqual([none.status, /No QDevice configured!/.test(none.stderr)], [1, true]);
  assert.equal((await store(one)).witness, null);
});

test("with a witness two nodes have three votes, and status shows it as pvecm does", async () => {
  assert.match(await must(one, "hansa", "store"), /survive no failures; a witness makes it 1/);
  const before = (await store(one)).configVersion ?? 0;
  const made = await setup(two, await code());
  assert.equal(made.status, 0, made.stderr);
  assert.match(made.stdout, /3 of 3 answer, 2 are needed; 3 votes survive 1 failure\n$/);
  const seen = await settled(one, 3);
  assert.deepEqual([votesOf(seen), seen.configVersion], [[0, 1, 2], before + 1]);
  const again = await setup(one, "aaaa-aaaa-aaaa-aaaa");
  assert.match(again.stderr, /Error: QDevice already configured!/);
  const shown = await must(one, "pvecm", "status");
  assert.match(shown, /^Expected votes: {3}3$/m);
  assert.match(shown, /^Flags: {12}Quorate Qdevice $|^Flags: {12}Quorate Qdevice$/m);
  assert.match(shown, /^ {4}Nodeid {6}Votes {4}Qdevice Name$/m);
  assert.match(shown, /^0x00000001 {10}1 {4}A,V,NMW 192\.168\.\d+\.\d+ \(local\)$/m);
  assert.match(shown, /^0x00000000 {10}1 {12}Qdevice$/m);
});

test("the box has neither the token nor anything that is made of it", async () => {
  const found = await box.exec(["grep", "-rlaF", TOKEN, "/var/lib/hansa", "/etc/hansa", "/run"]);
  assert.deepEqual([found.status, found.stdout], [1, ""]);
  const files = await must(box, "find", WHERE, "-name", "identity.json");
  assert.equal(files, "");
  // Its own private key is the only one it has, and no node has it.
  const key = (await must(box, "cat", `${WHERE}/witness.json`)).slice(0, 400);
  assert.match(key, /BEGIN PRIVATE KEY/);
  assert.equal(await must(box, "stat", "-c", "%a", `${WHERE}/witness.json`), "600");
});

test("a stranger is not let in at its port", async () => {
  const script = `
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /tmp/s.key -out /tmp/s.crt -subj /CN=x/OU=node >/dev/null 2>&1
    printf '{"id":1,"op":"hello"}\\n' | timeout 20 openssl s_client -connect host4:5403 -alpn hansa-witness/1 -cert /tmp/s.crt -key /tmp/s.key -quiet 2>/dev/null`;
  const { stdout } = await three.exec(["sh", "-c", script]);
  assert.equal(stdout, "");
});

test("one of the two nodes loses its power: writes go on at the other", async () => {
  await two.kill();
  await settled(one, 3, 2);
  await written(one, "without two");
  await two.boot();
  await settled(two, 3);
  assert.equal(await got(two, "motd"), "without two");
});

test("a split between the nodes: exactly one side writes; and a witness that nobody hears stops nobody", async () => {
  await playground.part([[1], [2]]);
  const sides = await eventually("one side leads, the other does not", 60_000, async () => {
    const seen = await Promise.all([one, two].map(store));
    const quorate = seen.map((each) => each.quorate);
    if (quorate.filter(Boolean).length !== 1) throw new Error(JSON.stringify(quorate));
    return quorate;
  });
  const [able, unable] = sides[0] ? [one, two] : [two, one];
  await written(able, "one side");
  const refused = await hansa(unable, "config", "put", "motd", "other side");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /STORE_NO_QUORUM|the store has no majority/);
  await playground.heal();
  await settled(unable, 3);
  assert.equal(await got(unable, "motd"), "one side");
  await playground.cut(4);
  await settled(one, 3, 2);
  await written(one, "without the witness");
  await eventually("status says that the witness is not heard", 60_000, async () => {
    const { stdout } = await hansa(one, "status", "--quorum", "-o", "json");
    const { witness } = JSON.parse(stdout) as QuorumView;
    assert.deepEqual(witness, { votes: 1, isAlive: false });
    return true;
  });
  await playground.mend(4);
  await settled(one, 3);
});

test("where the witness comes to lead the votes, a node does before long", async (context) => {
  let led = 0;
  const gaveUp = async (): Promise<number> =>
    (await must(box, "cat", `${WHERE}/log/witness.log`)).split("in place of the witness").length -
    1;
  for (let count = 0; count < 8; count++) {
    const before = await gaveUp();
    // Who waits with all of the log begins the election, before those two are back.
    const kill = "kill -9 $(cut -d ' ' -f 1 /run/hansa/etcd.pid)";
    await Promise.all([one, two].map((host) => must(host, "sh", "-c", kill)));
    await eventually("a node leads", 60_000, async () => {
      const { leader, quorate } = await store(one);
      return quorate && leader !== null && leader.id !== 0 ? true : Promise.reject(leader);
    });
    led += (await gaveUp()) - before;
  }
  context.diagnostic(`the witness led ${led} of 8 times`);
  await settled(one, 3);
});

test("kill -9 of the witness and of its etcd, and a power cut of its box, are survived", async () => {
  for (const name of ["witness", "etcd", "supervise"]) {
    const pid = async (): Promise<string> =>
      (await must(box, "cat", `/run/hansa-witness/${name}.pid`)).split(/\s/)[0] ?? "";
    const was = await pid();
    await must(box, "kill", "-9", was);
    await eventually(`${name} is back`, 60_000, async () =>
      (await pid()) === was ? undefined : true,
    );
    await settled(one, 3);
  }
  await box.kill();
  await settled(one, 3, 2);
  await box.boot();
  await settled(one, 3);
});

test("the box becomes no node, keeps its program, and goes on under another build", async () => {
  const launched = await box.exec(["hansa", "launch", "--id", "9", "--token", TOKEN]);
  assert.equal(launched.status, 1);
  assert.match(launched.stderr, /Error: this host is a witness, and becomes no node beside that/);
  const removed = await hansa(box, "uninstall");
  assert.match(removed.stderr, /Error: the host is a witness, which needs its program/);
  const program = async (): Promise<string> => {
    const [pid] = (await must(box, "cat", "/run/hansa-witness/witness.pid")).split(/\s/);
    return await must(box, "sha256sum", `/proc/${pid}/exe`);
  };
  const was = (await program()).split(" ")[0];
  // What runs lies at the end of the file: a byte more is another build that does the same.
  await must(box, "sh", "-c", 'cp "$(command -v hansa)" /tmp/other && echo >> /tmp/other');
  assert.match(await must(box, "hansa", "upgrade", "--check", "/tmp/other"), /process witness$/m);
  await must(box, "hansa", "upgrade", "/tmp/other");
  assert.notEqual((await program()).split(" ")[0], was);
  await settled(one, 3);
});

test("expected is refused while node and witness are a majority; made anew, the former generation's witness is fenced and rejoins", async () => {
  await two.kill();
  await settled(one, 3, 2);
  const refused = await hansa(one, "expected", "1", "--yes");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /Error: a majority of the votes can be reached/);
  await playground.cut(4);
  await eventually("no majority is left, and who is missing is said", 60_000, async () => {
    const { stderr } = await hansa(one, "config", "put", "motd", "nobody");
    return /missing: .*witness host4/.test(stderr) ? true : Promise.reject(new Error(stderr));
  });
  await eventually("made anew", 60_000, async () => {
    const { status, stderr } = await hansa(one, "expected", "1", "--yes");
    return status === 0 ? true : Promise.reject(new Error(stderr));
  });
  await written(one, "of generation 2");
  // Started anew its etcd finds no majority of the former votes, and serves nobody: its data is kept as it lies.
  await box.kill();
  await playground.mend(4);
  await box.boot();
  await eventually("the witness put the former generation away", 90_000, async () => {
    const kept = await must(box, "sh", "-c", `ls ${WHERE}/backups`);
    return kept.includes("prod-g1-") ? true : Promise.reject(new Error(kept));
  });
  await two.boot();
  const seen = await settled(two, 3);
  assert.deepEqual([seen.generation, votesOf(seen)], [2, [0, 1, 2]]);
  assert.equal(await got(two, "motd"), "of generation 2");
});

test("a third node takes the witness' place, and odd votes are refused a witness; it is removed and set up again", async () => {
  await launch(three, 3, "host1", "host2");
  await fullMesh([one, two, three], 60_000);
  const odd = await settled(one, 3);
  await eventually("the votes are the nodes'", 90_000, async () => {
    const votes = votesOf(await store(one));
    return votes.join() === "1,2,3" ? true : Promise.reject(new Error(votes.join()));
  });
  assert.ok(odd.witness);
  assert.equal(await must(one, "pvecm", "qdevice", "remove"), "Removed Qdevice.");
  await eventually("no witness is shown", 60_000, async () =>
    (await store(one)).witness === null ? true : undefined,
  );
  const typed = await code();
  const refused = await setup(one, typed);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /Clusters with an odd node count are not officially supported!/);
  await must(one, "hansa", "vote", "take", "3");
  const made = await setup(one, typed);
  assert.equal(made.status, 0, made.stderr);
  assert.deepEqual(votesOf(await settled(two, 3)), [0, 1, 2]);
  assert.equal(await must(one, "hansa", "qdevice", "remove"), "Removed Qdevice.");
  await settled(one, 2);
});
