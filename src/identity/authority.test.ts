import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as tls from "node:tls";
import { promisify } from "node:util";
import {
  type Authority,
  caPublicKeyHash,
  createAuthority,
  fromNow,
  type Leaf,
} from "./authority.ts";

const run = promisify(execFile);
const root = new Uint8Array(32).fill(7);
let dir: string;
let ours: Authority;
let theirs: Authority;
let foreign: Authority;
let leaf: Leaf;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "authority-"));
  ours = await createAuthority(root, "hansa");
  theirs = await createAuthority(
    root.slice(),
    "hansa",
    fromNow(() => Date.now() + 30_000),
  );
  foreign = await createAuthority(new Uint8Array(32).fill(8), "hansa");
  leaf = await ours.mint({
    names: ["hansa", "host1"],
    name: "host1",
    addresses: ["10.32.0.1", "127.0.0.1", "fd00::1", "not an address"],
  });
});
after(() => rm(dir, { recursive: true, force: true }));

async function save(name: string, text: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, text);
  return path;
}

test("openssl accepts a leaf of one peer under the CA certificate that another peer made", async () => {
  assert.notEqual(ours.certificate, theirs.certificate);
  const certificate = await save("leaf.pem", leaf.certificate);
  for (const [name, authority] of [
    ["ours.pem", ours],
    ["theirs.pem", theirs],
  ] as const) {
    const ca = await save(name, authority.certificate);
    for (const purpose of ["sslserver", "sslclient"]) {
      const argv = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", ca, certificate];
      assert.match((await run("openssl", argv)).stdout, /leaf\.pem: OK/);
    }
  }
  const stranger = await save("foreign.pem", foreign.certificate);
  await assert.rejects(run("openssl", ["verify", "-CAfile", stranger, certificate]));
});

test("the certificate of a person is a client's only, whatever name it has; a node's is both", async () => {
  const ca = await save("ours.pem", ours.certificate);
  for (const [role, purposes] of [
    ["admin", ["sslclient"]],
    ["node", ["sslclient", "sslserver"]],
  ] as const) {
    const { certificate } = await ours.mint({
      names: ["hansa", "host1"],
      name: "host1",
      addresses: [],
      role,
    });
    const parsed = new X509Certificate(certificate);
    assert.match(parsed.subject, new RegExp(`OU=${role}`));
    assert.equal(parsed.subjectAltName === undefined, role === "admin");
    const path = await save(`${role}.pem`, certificate);
    const good: string[] = [];
    for (const purpose of ["sslclient", "sslserver"]) {
      const argv = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", ca, path];
      if (
        await run("openssl", argv).then(
          () => true,
          () => false,
        )
      )
        good.push(purpose);
    }
    assert.deepEqual(good, purposes);
  }
});

test("a leaf carries its names and addresses, an hour of grace, and no CA rights", () => {
  const parsed = new X509Certificate(leaf.certificate);
  assert.equal(parsed.ca, false);
  assert.equal(
    parsed.subjectAltName,
    "DNS:hansa, DNS:host1, IP Address:10.32.0.1, IP Address:127.0.0.1, IP Address:FD00:0:0:0:0:0:0:1",
  );
  const age = Date.now() - parsed.validFromDate.getTime();
  assert.ok(age >= 3600_000 && age < 3700_000, `${age}`);
  assert.ok(new X509Certificate(ours.certificate).ca);
});

test("the hash of the CA's public key is that of every peer's certificate and of no other root's", () => {
  const hash = caPublicKeyHash(root);
  assert.match(hash, /^sha256:[0-9a-f]{64}$/);
  assert.equal(ours.publicKeyHash, hash);
  const [a, b] = [ours, theirs].map((each) => new X509Certificate(each.certificate).publicKey);
  assert.ok(a && b?.equals(a));
  assert.notEqual(foreign.publicKeyHash, hash);
});

test("texts of certificate and CA can be joined, and peers speak TLS 1.3 both ways authenticated", async () => {
  const other = await theirs.mint({ names: ["hansa"], name: "host2", addresses: [] });
  const server = tls.createServer({
    key: leaf.privateKey,
    cert: leaf.certificate + leaf.ca,
    ca: ours.certificate,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "TLSv1.3",
  });
  server.on("secureConnection", (socket) => socket.end(socket.authorized ? "yes" : "no"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    const client = tls.connect({
      host: "127.0.0.1",
      port: address.port,
      servername: "hansa",
      key: other.privateKey,
      cert: other.certificate,
      ca: theirs.certificate,
    });
    const [answer] = await once(client, "data");
    assert.equal(String(answer), "yes");
    client.destroy();
  } finally {
    server.close();
  }
});
