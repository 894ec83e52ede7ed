/** Any node answers for the whole cluster: for another node, with the role of who asked first, and for the containers of all. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { eventually, hansa, hosts, launchTogether, must, NETWORK } from "./cluster.ts";

let playground: Playground;
let one: Host;
let two: Host;
let three: Host;
/** No node of the cluster. */
let laptop: Host;

before(async () => {
  playground = await hosts("e2ewhole", 4);
  [one, two, three, laptop] = [1, 2, 3, 4].map((number) => playground.host(number)) as [
    Host,
    Host,
    Host,
    Host,
  ];
  await launchTogether([one, two, three]);
  for (const [name, role] of [
    ["boss", "admin"],
    ["ada", "viewer"],
  ] as const) {
    const words = await must(one, "hansa", "context", "export", "--role", role, "--for", name);
    await outside("context", "import", ...words.split(" "), "--name", name);
  }
});
after(() => playground?.down());

/** The hosts of a playground share their home, so contexts go elsewhere. */
const OURS = ["env", "HANSA_CONTEXTS=/tmp/contexts"] as const;

function outside(...words: string[]): Promise<string> {
  return must(laptop, ...OURS, "hansa", ...words);
}

/** The lines of `hansa ps`, in cells. */
async function rows(host: Host, ...words: string[]): Promise<string[][]> {
  const [, ...lines] = (await must(host, "hansa", "ps", ...words)).split("\n");
  return lines.map((line) => line.split(/ {2,}/));
}

interface Document {
  readonly nodes: readonly {
    readonly name: string;
    readonly reachable: boolean;
    readonly asOf: string | null;
  }[];
  readonly containers: readonly {
    readonly node: { readonly name: string };
    readonly dockerName: string;
    readonly state: string;
  }[];
}

/** Starts a command on the laptop that goes on by itself; what it printed so far, and its end. */
async function background(...words: string[]) {
  const log = `/tmp/${words.join("-").replace(/[^a-z-]/g, "")}.log`;
  const line = [...OURS, "hansa", ...words].join(" ");
  const pid = await must(laptop, "sh", "-c", `${line} > ${log} 2>&1 & echo $!`);
  return {
    printed: () => must(laptop, "cat", log),
    end: () => laptop.exec(["kill", "-INT", pid]),
  };
}

const SLEEP = ["busybox", "sleep", "1000000"] as const;
const HEADER =
  "NODE  GROUP  NAME  DOCKER NAME  IMAGE  IP  PORTS  DEPS IMAGE STATE ENGINE STATE  SMR STATE";

test("without containers ps prints simplecontainer's header and nothing else", async () => {
  for (const host of [one, two, three]) {
    const { status, stdout, stderr } = await hansa(host, "ps");
    assert.deepEqual([status, stdout, stderr], [0, `${HEADER}\n`, ""]);
  }
  assert.equal(await outside("--context", "ada", "ps"), HEADER);
});

test("each node lists the containers of every node, with all eleven columns", async () => {
  const labels = {
    "com.docker.compose.project": "shop",
    "com.docker.compose.service": "web",
    "com.docker.compose.depends_on": "db:service_started:false",
  };
  const flags = Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]);
  const run = ["docker", "run", "-d", ...NETWORK, "--name"] as const;
  await must(one, ...run, "shop-web-1", "--ip", "10.33.0.1", "-p", "8080:80", ...flags, ...SLEEP);
  await must(two, ...run, "plain", "--ip", "10.33.0.2", ...SLEEP);
  await must(three, ...run, "ended", "busybox", "sh", "-c", "exit 3");
  await must(two, "docker", "run", "-d", "--name", "elsewhere", ...SLEEP);
  for (const host of [one, two, three]) {
    const found = await eventually(`all rows on ${host.name}`, 5_000, async () => {
      const all = await rows(host);
      return all.length === 3 && all[2]?.[9]?.startsWith("exited") ? all : undefined;
    });
    const ageless = found.map((cells) =>
      cells.map((cell) => cell.replace(/ \((\d+[hms])+\)$/, "")),
    );
    assert.deepEqual(ageless, [
      [
        ...["host1 (1)", "shop", "web", "shop-web-1", "busybox:latest", "10.33.0.1", "8080:80"],
        ...["shop.db", "pulled", "running (docker)", "running"],
      ],
      [
        ...["host2 (2)", "-", "plain", "plain", "busybox:latest", "10.33.0.2", "-", "-", "pulled"],
        ...["running (docker)", "running"],
      ],
      [
        ...["host3 (3)", "-", "ended", "ended", "busybox:latest", "-", "-", "-", "pulled"],
        ...["exited (docker)", "failed"],
      ],
    ]);
  }
  assert.equal((await rows(three, "--group", "shop", "--state", "running")).length, 1);
  assert.equal((await rows(one, "--node", "host2,3")).length, 2);
  const elsewhere = JSON.parse(await outside("--context", "ada", "ps", "-o", "json")) as Document;
  assert.deepEqual(
    elsewhere.containers.map(({ node, dockerName }) => `${node.name} ${dockerName}`),
    ["host1 shop-web-1", "host2 plain", "host3 ended"],
  );
  assert.ok(elsewhere.nodes.every(({ reachable }) => reachable));
});

test("status, inspect and doctor of another node, by name and id, from a node and from a context", async () => {
  const asked = JSON.parse(await must(one, "hansa", "status", "--node", "host2", "-o", "json"));
  assert.equal(asked.node.name, "host2");
  const inspected = JSON.parse(await outside("--context", "boss", "inspect", "--node", "3"));
  assert.equal(inspected.Router.NickName, "host3");
  const { stdout } = await hansa(two, "doctor", "--node", "host3", "-o", "json");
  assert.equal(JSON.parse(stdout).node.name, "host3");
  const unknown = await hansa(one, "status", "--node", "host9");
  assert.equal(unknown.status, 3);
  assert.match(unknown.stderr, /Error: no node host9 was ever met/);
});

test("what is done on this host is refused for another one", async () => {
  const refused = await hansa(one, "reset", "--node", "host2");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /Error: hansa reset cannot be asked of another node/);
  assert.equal((await hansa(one, "status")).status, 0);
});

test("the other node checks the role of who asked first, and its audit log names them and the node between", async () => {
  const line = [...OURS, "hansa", "--context", "ada", "--node", "host3", "connect", "host9"];
  const refused = await laptop.exec(line, { timeoutMs: 120_000 });
  assert.equal(refused.status, 1);
  assert.match(
    refused.stderr,
    /Error: connecting to a host needs the role operator, and ada is viewer/,
  );
  await outside("--context", "boss", "--node", "host3", "connect", "host9");
  const targets = JSON.parse(await must(three, "hansa", "status", "--targets", "-o", "json"));
  assert.ok(targets.targets.includes("host9"));
  const log = await must(three, "cat", "/var/lib/hansa/log/audit.log");
  assert.match(log, /"who":"ada","role":"viewer","from":"[^"]*192\.168\.48\.14".*"via":"host1"/);
  assert.match(
    log,
    /"who":"boss","role":"admin".*"via":"host1","operation":"connect","result":"ok"/,
  );
  await outside("--context", "boss", "--node", "host3", "forget", "host9");
});

test("a node that is cut off is shown with the age of what is known, and back again as it is", async () => {
  await playground.cut(3);
  const found = await eventually("host3 is out of reach", 20_000, async () => {
    const all = JSON.parse(await must(one, "hansa", "ps", "-o", "json")) as Document;
    return all.nodes.some(({ reachable }) => !reachable) ? all : undefined;
  });
  assert.deepEqual(
    found.nodes.map(({ name, reachable }) => `${name} ${reachable}`),
    ["host1 true", "host2 true", "host3 false"],
  );
  const { stdout, stderr, status } = await hansa(one, "ps");
  assert.equal(status, 0);
  assert.match(stdout, /ended .* failed \([0-9ms]+\) \d+s ago$/m);
  assert.match(
    stderr,
    /1 container on host3 \(3\) as of \d+s ago: node 3 \(host3\) cannot be asked/,
  );
  const refused = await hansa(one, "status", "--node", "host3");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /node 3 \(host3\) cannot be asked: .*not heard for \d+s/);
  await eventually("host3 knows that it is alone", 10_000, async () => {
    const alone = JSON.parse(await must(three, "hansa", "ps", "-o", "json")) as Document;
    return (
      alone.nodes.every(({ name, reachable }) => reachable === (name === "host3")) || undefined
    );
  });
  await playground.mend(3);
  await eventually("host3 is back", 30_000, async () => {
    const all = JSON.parse(await must(one, "hansa", "ps", "-o", "json")) as Document;
    return all.nodes.every(({ reachable }) => reachable) ? true : undefined;
  });
});

test("a watch goes on through another node of the context when its node dies", async () => {
  const watch = await background("--context", "ada", "ps", "--watch", "-o", "json");
  const last = async (): Promise<Document> => {
    const lines = (await watch.printed()).split("\n").filter((line) => line.startsWith("{"));
    return JSON.parse(lines.at(-1) ?? "");
  };
  await eventually("the first document", 10_000, async () =>
    (await last()).containers.length === 3 ? true : undefined,
  );
  await must(two, "docker", "rm", "-f", "plain");
  await eventually("the end on host2", 5_000, async () =>
    (await last()).containers.length === 2 ? true : undefined,
  );
  await one.kill();
  await must(two, "docker", "run", "-d", ...NETWORK, "--name", "after", ...SLEEP);
  await eventually("the start on host2, by another node", 30_000, async () =>
    (await last()).containers.some(({ dockerName }) => dockerName === "after") ? true : undefined,
  );
  await watch.end();
});
