/** `hansa report`: one archive of all nodes, with what is needed to help and none of the cluster's secrets. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { hansa, hosts, launchTogether, must, TOKEN } from "./cluster.ts";

let playground: Playground;
let one: Host;
let two: Host;
before(async () => {
  playground = await hosts("e2erep", 2);
  [one, two] = [playground.host(1), playground.host(2)];
});
after(() => playground?.down());

const files = async (at: Host, archive: string): Promise<string[]> =>
  (await must(at, "tar", "-tzf", archive)).split("\n");
const textOf = (at: Host, archive: string, file: string): Promise<string> =>
  must(at, "tar", "-xzOf", archive, file);

test("on a host without a node it tells of the host", async () => {
  const archive = await must(one, "hansa", "report", "/tmp/alone.tar.gz");
  assert.equal(archive, "/tmp/alone.tar.gz");
  const names = await files(one, archive);
  const found = (name: string): boolean => names.some((each) => each.endsWith(name));
  for (const name of ["this-host/host/nftables.txt", "this-host/docker/version.txt"]) {
    assert.ok(found(name), `${name} is not among ${names.join(" ")}`);
  }
});

test("of a cluster: every node's status, findings, logs and network, and no secret of any", async () => {
  await launchTogether([one, two]);
  for (const host of [one, two]) {
    // As if a program had been careless: what stands in a log goes out of it.
    const secrets = JSON.parse(await must(host, "cat", "/var/lib/hansa/identity.json"));
    const line = `psk ${secrets.wireguard.privateKey} of ${Buffer.from(secrets.roots[0].root, "base64").toString("hex")}\n`;
    await host.exec(["tee", "-a", "/var/lib/hansa/log/daemon.log"], { stdin: line });
  }
  const archive = await must(two, "hansa", "report", "/tmp/all.tar.gz");
  const names = await files(two, archive);
  const [folder] = (names[0] ?? "").split("/");
  for (const node of ["1-host1", "2-host2"]) {
    for (const file of [
      ...["status.json", "doctor.json", "inspect.json", "counters.json", "log/daemon.log"],
      ...["state/node.json", "state/files.txt", "host/routes.txt", "host/wireguard.txt"],
      ...["docker/network.json", "docker/info.txt"],
    ]) {
      assert.ok(names.includes(`${folder}/${node}/${file}`), `${node}/${file}: ${names.join(" ")}`);
    }
    const status = JSON.parse(await textOf(two, archive, `${folder}/${node}/status.json`));
    assert.equal(`${status.node.id}-${status.node.name}`, node);
    const log = await textOf(two, archive, `${folder}/${node}/log/daemon.log`);
    assert.match(log, /psk \[redacted\]=? of \[redacted\]/);
  }
  assert.ok(!names.some((name) => name.includes("identity")), names.join(" "));
  assert.equal(await must(two, "stat", "-c", "%a", archive), "600");

  const whole = await must(two, "sh", "-c", `gzip -dc ${archive} | base64 -w0`);
  const text = Buffer.from(whole, "base64").toString("latin1");
  for (const host of [one, two]) {
    const { roots, nodeKey, wireguard } = JSON.parse(
      await must(host, "cat", "/var/lib/hansa/identity.json"),
    );
    for (const secret of [roots[0].root, nodeKey.privateKey, wireguard.privateKey]) {
      const bytes = Buffer.from(secret, "base64");
      for (const word of [
        bytes.toString("hex"),
        secret.replace(/=+$/, ""),
        bytes.toString("latin1"),
      ]) {
        assert.ok(!text.includes(word), "a secret is in the archive");
      }
    }
    // Public: it has to be there, or the search above finds nothing at all.
    assert.ok(text.includes(wireguard.publicKey));
  }
  assert.ok(!text.includes(TOKEN));
});

test("a node that cannot be asked is said, and a file that is there is left alone", async () => {
  const again = await hansa(two, "report", "/tmp/all.tar.gz");
  assert.equal(again.status, 1);
  assert.match(again.stderr, /\/tmp\/all\.tar\.gz is there already/);
  await playground.cut(1);
  try {
    const { status, stdout, stderr } = await hansa(two, "report", "/tmp/one-cut.tar.gz");
    assert.equal(status, 0, stderr);
    assert.equal(stdout, "/tmp/one-cut.tar.gz\n");
    assert.match(stderr, /1-host1 is not in it: node 1 \(host1\) cannot be asked/);
  } finally {
    await playground.mend(1);
  }
});
