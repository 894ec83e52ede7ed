/**
 * Cases with two sides that know different things: births apart, lost and restored disks, clones, addresses that change. Each ends as
 * docs/internals/ipam.md says, and every side shows the sentence.
 */
import assert from "node:assert/strict";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import {
  allReachAll,
  eventually,
  fullMesh,
  hosts,
  launch,
  must,
  NETWORK,
  serve,
  served,
  status,
} from "./cluster.ts";

interface Warned {
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

let playground: Playground;
let one: Host;
let two: Host;
let three: Host;
let four: Host;

before(async () => {
  playground = await hosts("e2es", 4);
  [one, two, three, four] = playground.hosts() as [Host, Host, Host, Host];
});
after(() => playground?.down());

/** The first warning with that code and words, on each of these hosts. */
async function warned(on: readonly Host[], code: string, words: RegExp): Promise<void> {
  for (const host of on) {
    await eventually(`${host.name} warns of ${words}`, 20_000, async () => {
      const { warnings } = (await status(host)) as unknown as Warned;
      const found = warnings.some((each) => each.code === code && words.test(each.message));
      if (!found) throw new Error(JSON.stringify(warnings));
      return true;
    });
  }
}

async function notWarned(host: Host, code: string, words = /./): Promise<void> {
  await eventually(`${host.name} has no ${code}`, 30_000, async () => {
    const { warnings } = (await status(host)) as unknown as Warned;
    const left = warnings.filter((each) => each.code === code && words.test(each.message));
    if (left.length > 0) throw new Error(JSON.stringify(left));
    return true;
  });
}

/** `docker run` fails with the plugin's code. */
async function refused(host: Host, code: RegExp, ...options: string[]): Promise<void> {
  const name = `x${Math.floor(performance.now())}`;
  const run = ["run", "-d", "--name", name, ...NETWORK, ...options, "busybox", "sleep", "9"];
  const answer = await host.docker(run);
  await host.docker(["rm", "-f", name]);
  assert.notEqual(answer.status, 0, `${code} was expected`);
  assert.match(answer.stderr, code);
}

async function newDisk(host: Host): Promise<void> {
  await host.kill();
  await host.wipe();
  await host.boot();
}

const diskOf = (host: Host): string => join(host.stateDir, "hansa");

/** The node's files as they are now; it runs, so one may be gone between its listing and its copy. */
async function copyDisk(from: Host, to: string): Promise<void> {
  await eventually(`a copy of ${from.name}'s disk`, 20_000, async () => {
    await rm(to, { recursive: true, force: true });
    await cp(diskOf(from), to, { recursive: true });
    return true;
  });
}

test("two seed nodes that were born apart meet as if they had always known each other", async () => {
  await playground.part([[1], [2], [3], [4]]);
  await Promise.all([launch(one, 1), launch(two, 2)]);
  const born = [
    await served(one, "c1", "--restart", "always"),
    await served(two, "c2", "--restart", "always"),
  ];
  await playground.heal();
  await must(one, "hansa", "connect", "host2");
  await launch(three, 3, "host1");
  await fullMesh([one, two, three], 20_000);
  await allReachAll(born);
  for (const host of [one, two, three]) await notWarned(host, "IPAM_ADDRESS_TWICE");
});

test("a node whose disk is lost is born again apart: both containers with one address are named everywhere, and none is added", async () => {
  // 10.35.0.5 is of node 2's part; host1 asks for it.
  await serve(one, "ca", "--ip", "10.35.0.5");
  await newDisk(two);
  await playground.part([[2], [1, 3, 4]]);
  // Its former self may win the id, dead as it is: what others say must come to the one that lives.
  await eventually("host1 has lost host2", 60_000, async () => {
    const { peers } = await status(one);
    return peers.some(({ id, state }) => id === 2 && state === "dead") || undefined;
  });
  await launch(two, 2);
  await serve(two, "cb", "--ip", "10.35.0.5");
  await playground.heal();
  await must(two, "hansa", "connect", "host1");
  const twice = /10\.35\.0\.5 is held twice: .*container ca on host1.*/;
  await warned([one, two, three], "IPAM_ADDRESS_TWICE", twice);
  await warned([one, two, three], "IPAM_ADDRESS_TWICE", /container cb on host2/);
  await warned([one, two, three], "NODE_TWIN", /cloned disk\?/);
  await refused(three, /IPAM_/, "--ip", "10.35.0.5");
  await must(two, "docker", "rm", "-f", "cb");
  for (const host of [one, three]) await notWarned(host, "IPAM_ADDRESS_TWICE", /held twice/);
});

test("a node that starts from an old image of its disk finds out, and the containers are named everywhere", async () => {
  const image = join(playground.host(4).stateDir, "..", "image");
  await copyDisk(three, image);
  // 10.37.0.5 is of node 3's part; host1 asks for it after the image was made.
  await serve(one, "cd", "--ip", "10.37.0.5");
  await three.kill();
  await rm(diskOf(three), { recursive: true });
  await cp(image, diskOf(three), { recursive: true });
  await playground.part([[3], [1, 2, 4]]);
  await three.boot();
  await eventually("host3 gives what it once had", 20_000, async () => {
    await serve(three, "ce", "--ip", "10.37.0.5").catch(async (error: unknown) => {
      await three.docker(["rm", "-f", "ce"]);
      throw error;
    });
    return true;
  });
  await playground.heal();
  const twice = /10\.37\.0\.5 is held twice: .*container cd on host1/;
  await warned([one, three], "IPAM_ADDRESS_TWICE", twice);
  await warned([one, three], "IPAM_ADDRESS_TWICE", /container ce on host3/);
  await must(three, "docker", "rm", "-f", "ce");
  const next = await serve(three, "cf");
  assert.match(next, /^10\./);
});

test("a clone of a whole machine keeps quiet, says why, and disturbs nobody", async () => {
  await four.kill();
  await copyDisk(three, diskOf(four));
  await cp(join(three.stateDir, "etc-docker"), join(four.stateDir, "etc-docker"), {
    recursive: true,
  });
  await four.boot();
  await warned([four], "NODE_TWIN", /this node's own key.*gives no addresses/);
  await warned([three], "NODE_TWIN", /this node's own key/);
  await refused(four, /IPAM_NOT_READY/);
  // The clone lost its tunnels; those of the original stand.
  await allReachAll([
    { host: one, name: "c1", address: await address(one, "c1") },
    { host: three, name: "cf", address: await address(three, "cf") },
  ]);
  await four.kill();
  await notWarned(three, "NODE_TWIN", /own key/);
});

test("two machines with one Docker Engine ID are told from each other and named", async () => {
  const key = await readFile(join(three.stateDir, "etc-docker/key.json"));
  await four.kill();
  await four.wipe();
  await four.boot({ dockerMs: 0 });
  await four.kill();
  await writeFile(join(four.stateDir, "etc-docker/key.json"), key);
  await four.boot();
  await launch(four, 4, "host1");
  await warned([one, three, four], "DOCKER_ID_TWICE", /host3.*and host4|host4.*and host3/);
  const g = await served(four, "cg");
  await allReachAll([g, { host: one, name: "c1", address: await address(one, "c1") }]);
});

test("a node whose files were removed and that is launched with its old id is kept out, and every side says so", async () => {
  await newDisk(four);
  await launch(four, 4, "host1");
  await warned([four], "NODE_TWIN", /has the id 4: cloned disk\? This node gives no addresses/);
  await warned([one, three], "NODE_TWIN", /has the id 4: cloned disk\?/);
  await refused(four, /IPAM_NOT_READY/);
  const { ipam } = await status(one);
  const total = ipam.entries.reduce((sum, entry) => sum + entry.addresses, 0);
  assert.equal(total, 4 * 131_072);
});

function address(host: Host, container: string): Promise<string> {
  const format = "{{.NetworkSettings.Networks.hansa.IPAddress}}";
  return must(host, "docker", "inspect", "-f", format, container);
}
