/** The API on port 1443: who is served, who is refused and how, on real hosts. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Authority, createAuthority, fromNow } from "../../src/identity/authority.ts";
import { loadIdentity } from "../../src/identity/identity-file.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import type { Role } from "../../src/values/role.ts";
import { generateClient } from "../openapi/generate-client.ts";
import { eventually, hosts, launchTogether, must, status, TOKEN } from "./cluster.ts";

const PROBE = join(import.meta.dirname, "api-probe.ts");

let playground: Playground;
let one: Host;
let two: Host;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "hansa-e2eapi-"));
  playground = await hosts("e2eapi", 3);
  [one, two] = [playground.host(1), playground.host(2)];
  await launchTogether([one, two]);
});
after(async () => {
  await playground?.down();
  await rm(folder, { recursive: true });
});

/** The cluster's authority, by a clock that is so many days behind. */
async function clusterAuthority(daysAgo = 0): Promise<Authority> {
  const identity = await loadIdentity(join(one.stateDir, "hansa"));
  assert.ok(identity?.roots[0]);
  const dates = fromNow(() => Date.now() - daysAgo * 86_400_000);
  return createAuthority(identity.roots[0].root, "hansa", dates);
}

/** A certificate with that role, as a file; of the cluster where nobody else is said. */
async function certificate(role: Role, by?: Authority, name = `a-${role}`): Promise<string> {
  const authority = by ?? (await clusterAuthority());
  const leaf = await authority.mint({ names: [], name, addresses: [], role });
  const path = join(folder, `${name}.json`);
  await writeFile(path, JSON.stringify(leaf), { mode: 0o600 });
  return path;
}

interface Answer {
  readonly status: string;
  readonly body: string;
}

/** What a program of this machine prints in a host's network. */
async function inNetwork(from: Host, words: readonly string[], input = ""): Promise<string> {
  const argv = ["-t", `${from.pid}`, "-n", "--", process.execPath, ...words];
  const program = spawn("nsenter", argv, { stdio: ["pipe", "pipe", "inherit"] });
  program.stdin.end(input);
  const chunks: Buffer[] = [];
  for await (const chunk of program.stdout) chunks.push(chunk);
  return Buffer.concat(chunks).toString().trim();
}

/** Asks from a host's network, with this machine's files. */
async function ask(from: Host, url: string, file?: string, body?: unknown): Promise<Answer> {
  const words = [url, body === undefined ? "GET" : "POST", ...(file === undefined ? [] : [file])];
  const input = body === undefined ? "" : JSON.stringify(body);
  const [status = "", ...rest] = (await inNetwork(from, [PROBE, ...words], input)).split(" ");
  return { status, body: rest.join(" ") };
}

test("every node answers on the port, by the addresses in its certificate", async () => {
  const viewer = await certificate("viewer");
  for (const node of [one, two]) {
    const answer = await ask(two, `https://${node.ip(0)}:1443/v1/status`, viewer);
    assert.equal(answer.status, "200", answer.body);
    assert.equal(JSON.parse(answer.body).node.name, node.name);
  }
  assert.match(await must(one, "ss", "-Hltn"), /\*:1443 /);
});

test("health and metrics are served to a viewer", async () => {
  const viewer = await certificate("viewer");
  const health = await ask(two, `https://${one.ip(0)}:1443/healthz`, viewer);
  assert.deepEqual(
    [health.status, JSON.parse(health.body)],
    ["200", { status: "ok", warnings: [] }],
  );
  const metrics = await ask(two, `https://${one.ip(0)}:1443/metrics`, viewer);
  assert.match(metrics.body, /^hansa_peers\{state="alive"\} 2$/m);
  assert.match(metrics.body, /^hansa_gossip_packets_in_total [1-9]/m);
});

test("a viewer changes nothing, an operator adds a target, and the audit log says who, from where and what", async () => {
  const [viewer, operator] = [await certificate("viewer"), await certificate("operator")];
  const url = `https://${one.ip(0)}:1443/v1/targets`;
  const refused = await ask(two, url, viewer, { targets: ["host9"] });
  assert.equal(refused.status, "403");
  assert.equal(JSON.parse(refused.body).error.code, "API_ROLE_MISSING");
  assert.ok(!(await status(one)).targets.includes("host9"));
  assert.equal((await ask(two, url, operator, { targets: ["host9"] })).status, "200");
  assert.ok((await status(one)).targets.includes("host9"));
  const log = await readFile(join(one.stateDir, "hansa/log/audit.log"), "utf8");
  const noted = log
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    noted.map(({ who, role, operation, result }) => [who, role, operation, result]),
    [
      ["a-viewer", "viewer", "connect", "API_ROLE_MISSING"],
      ["a-operator", "operator", "connect", "ok"],
    ],
  );
  assert.match(noted[0].from, /192\.168\.48\.12$/);
});

test("without a certificate, and over plain HTTP, a host outside is refused in one JSON error, and the log says so", async () => {
  const none = await ask(playground.host(3), `https://${one.ip(0)}:1443/v1/status`);
  assert.equal(none.status, "401");
  assert.equal(JSON.parse(none.body).error.code, "API_CERTIFICATE_REFUSED");
  const plain = `printf 'GET / HTTP/1.1\\r\\n\\r\\n' | timeout 5 socat - TCP4:${two.ip(0)}:1443`;
  assert.match((await playground.host(3).exec(["sh", "-c", plain])).stdout, /API_TLS_REQUIRED/);
  const log = await readFile(join(one.stateDir, "hansa/log/daemon.log"), "utf8");
  assert.match(log, /a connection to the API was refused/);
});

test("one of another cluster, one that has expired and one that is revoked are refused in one JSON error; TLS 1.1 in the handshake", async () => {
  const url = `https://${one.ip(0)}:1443/v1/status`;
  const { certificate: ours } = await clusterAuthority();
  const stranger = await certificate("admin", await createAuthority(randomBytes(32), "hansa"), "x");
  const expired = await certificate("admin", await clusterAuthority(400), "old");
  for (const [file, words] of [
    [stranger, /not accepted/],
    [expired, /not accepted: CERT_HAS_EXPIRED/],
  ] as const) {
    // Each holds the node against the cluster's authority, so that it hears what it is told.
    const leaf = JSON.parse(await readFile(file, "utf8"));
    await writeFile(file, JSON.stringify({ ...leaf, ca: ours }));
    const { status: code, body } = await ask(two, url, file);
    assert.deepEqual([code, JSON.parse(body).error.code], ["401", "API_CERTIFICATE_REFUSED"]);
    assert.match(body, words);
  }
  const lost = await certificate("admin", undefined, "lost");
  assert.equal((await ask(two, url, lost)).status, "200");
  const { serialNumber } = new X509Certificate(
    JSON.parse(await readFile(lost, "utf8")).certificate,
  );
  await must(two, "hansa", "context", "revoke", serialNumber);
  const refused = await eventually("host1 heard of it", 5_000, async () => {
    const answer = await ask(two, url, lost);
    return answer.status === "401" ? answer : undefined;
  });
  assert.match(refused.body, /the certificate of lost was revoked at .* by local/);
  const old = `require("node:tls").connect({ host: ${JSON.stringify(one.ip(0))}, port: 1443,
    rejectUnauthorized: false, minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" })
    .on("error", (error) => console.log(error.code)).on("secureConnect", () => console.log("served"))`;
  assert.match(await inNetwork(two, ["-e", old]), /^ERR_SSL_/);
});

test("a client generated from the document that a node serves passes the compiler and works against it", async () => {
  const admin = await certificate("admin");
  const url = `https://${one.ip(0)}:1443`;
  const document = await ask(two, `${url}/v1/openapi.json`, admin);
  assert.equal(document.status, "200");
  await using made = await generateClient(JSON.parse(document.body));
  const facts = JSON.parse(await inNetwork(two, [made.program, url, admin]));
  assert.deepEqual(
    [facts.node, facts.peers.toSorted(), facts.code, facts.role],
    ["host1", ["host1", "host2"], "USAGE", "viewer"],
  );
});

test("the port that another program holds is named by launch, and --api-port moves it", async () => {
  const third = playground.host(3);
  const holder = await third.spawn(["socat", "TCP4-LISTEN:1443,fork", "STDOUT"]);
  await eventually("the port is held", 5_000, async () =>
    (await must(third, "ss", "-Hltn")).includes(":1443 ") ? true : undefined,
  );
  const words = ["launch", "--id", "3", "--token", TOKEN, "host1"];
  const refused = await third.exec(["hansa", ...words]);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /port 1443\/tcp is held by socat/);
  await must(third, "hansa", ...words, "--api-port", "2443");
  const viewer = await certificate("viewer");
  const answer = await eventually("host3 answers", 10_000, async () => {
    const now = await ask(two, `https://${third.ip(0)}:2443/v1/version`, viewer);
    return now.status === "200" ? now : undefined;
  });
  assert.match(answer.body, /version/);
  holder.kill("SIGKILL");
});
