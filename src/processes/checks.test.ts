/** The pure and the small parts: subnets, ports, tools, node.json, logs, pid files. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { type NetworkInterfaceInfo, release, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { HansaError, isHansaError } from "../errors.ts";
import { cidrRange, formatCidr, overlaps, parseCidr } from "../values/cidr.ts";
import { plainLinks } from "../values/node-link.ts";
import { kernelHasWireguard, neededTools } from "./host-tools.ts";
import { requestedNode, requireOwnLinks } from "./launch-request.ts";
import { lastSentence, rotateLog } from "./log-file.ts";
import { loadNodeFile, type NodeFile, saveNodeFile } from "./node-file.ts";
import { readPidFile, releasePidLock, takePidLock, writePidFile } from "./pid-file.ts";
import { processByPid } from "./running-process.ts";
import { freeSubnet, requireFreeSubnet, usedByDocker, usedByRoutes } from "./subnet-collision.ts";
import { boundPorts } from "./taken-ports.ts";

let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), "checks-"));
});
after(() => rm(dir, { recursive: true }));

const ROUTES = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0100000A	0003	0	0	0	00000000	0	0	0
eth0	0000000A	00000000	0001	0	0	0	000000FF	0	0	0
hansa0	0000400A	00000000	0001	0	0	0	0000F0FF	0	0	0
docker0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0

`;

function cidr(text: string): NonNullable<ReturnType<typeof parseCidr>> {
  return parseCidr(text) ?? assert.fail(text);
}

test("routes are read without default routes and without our own device", () => {
  assert.deepEqual(
    usedByRoutes(ROUTES).map(({ what }) => what),
    ["the route 10.0.0.0/8 of device eth0", "the route 172.17.0.0/16 of device docker0"],
  );
});

test("Docker's networks are read, ours and the malformed ones are not", () => {
  const networks = [
    { Name: "bridge", IPAM: { Config: [{ Subnet: "172.17.0.0/16" }] } },
    { Name: "hansa", IPAM: { Config: [{ Subnet: "10.32.0.0/12" }] } },
    { Name: "six", IPAM: { Config: [{ Subnet: "fd00::/64" }, { Subnet: "10.48.0.0/16" }] } },
    { Name: "none", IPAM: { Config: null } },
    null,
    7,
  ];
  assert.deepEqual(
    usedByDocker(networks).map(({ what }) => what),
    ["the network bridge (172.17.0.0/16) of Docker", "the network six (10.48.0.0/16) of Docker"],
  );
  assert.deepEqual(usedByDocker("nonsense"), []);
});

test("a collision names the route and proposes a subnet that collides with nothing", () => {
  const used = usedByRoutes(ROUTES);
  assert.throws(
    () => requireFreeSubnet(cidr("10.32.0.0/12"), used),
    (error) => {
      assert.ok(isHansaError(error, "SUBNET_COLLISION"));
      assert.equal(
        error.message,
        "the cluster's subnet 10.32.0.0/12 collides with the route 10.0.0.0/8 of device eth0",
      );
      assert.match(error.hint, /--subnet 100\.80\.0\.0\/12$/);
      return true;
    },
  );
  requireFreeSubnet(cidr("100.80.0.0/12"), used);
  assert.equal(
    freeSubnet(12, [{ block: cidr("0.0.0.0/1"), what: "" }])?.base,
    cidr("172.16.0.0/12").base,
  );
  assert.equal(freeSubnet(12, [{ block: { base: 0, prefix: 0 }, what: "" }]), undefined);
});

test("a proposed subnet never overlaps what is used", () => {
  const block = fc
    .tuple(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 6, max: 28 }))
    .map(([address, prefix]) => {
      const size = 2 ** (32 - prefix);
      return { block: { base: Math.floor(address / size) * size, prefix }, what: "" };
    });
  fc.assert(
    fc.property(
      fc.array(block, { maxLength: 40 }),
      fc.integer({ min: 8, max: 20 }),
      (used, prefix) => {
        const free = freeSubnet(prefix, used);
        if (free === undefined) return;
        assert.equal(parseCidr(formatCidr(free))?.base, free.base);
        assert.ok(!used.some((each) => overlaps(cidrRange(each.block), cidrRange(free))));
      },
    ),
    { numRuns: 200 },
  );
});

test("a host name becomes a node name, whatever the host is called", () => {
  const name = (host: string): string => requestedNode({ id: 9, targets: [] }, host).name;
  assert.equal(name("host1.example"), "host1.example");
  assert.equal(name("my_host."), "my-host");
  assert.equal(name("(none)"), "none");
  assert.equal(name("___"), "node-9");
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 100 }), (text) => {
      assert.match(name(text), /^[A-Za-z0-9.-]{1,63}$/);
    }),
    { numRuns: 200 },
  );
});

test("listening TCP and unconnected UDP sockets are found in the kernel's tables", () => {
  const row = (port: string, state: string): string =>
    `   0: 00000000:${port} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 4711 1 0`;
  const table = [
    "  sl  local_address",
    row("1A7F", "0A"),
    row("1A80", "01"),
    row("1A80", "07"),
    "",
  ].join("\n");
  assert.deepEqual(boundPorts("tcp", table), [{ port: 6783, inode: "4711" }]);
  assert.deepEqual(boundPorts("udp", table), [{ port: 6784, inode: "4711" }]);
});

test("tools depend on encryption and kernel", () => {
  assert.deepEqual(neededTools("none", false), ["ip", "nft", "iptables"]);
  assert.deepEqual(neededTools("wireguard", true).at(-1), "wg");
  assert.deepEqual(neededTools("wireguard", false).at(-1), "wireguard-go");
  const root = join(dir, "kernel");
  assert.equal(kernelHasWireguard(root), false);
  const modules = join(root, "lib/modules", release());
  mkdirSync(modules, { recursive: true });
  writeFileSync(join(modules, "modules.dep"), "kernel/drivers/net/wireguard/wireguard.ko: a b\n");
  assert.equal(kernelHasWireguard(root), true);
});

const NODE: NodeFile = {
  version: 1,
  id: 65_535,
  name: "host.example",
  cluster: "hansa",
  subnet: "10.32.0.0/12",
  targets: ["host1", "[fd00::1]:7000"],
  links: plainLinks(["10.0.0.1"]),
  ports: { gossip: 6783, overlay: 6784, api: 1443 },
  encryption: "none",
};

test("node.json comes back as it was written, and a damaged one is refused naming the field", async () => {
  const path = join(dir, "node.json");
  assert.equal(await loadNodeFile(path), undefined);
  await saveNodeFile(path, NODE);
  assert.deepEqual(await loadNodeFile(path), NODE);
  const several = { ...NODE, links: NODE.links.map((link) => ({ ...link, priority: 7 })) };
  await saveNodeFile(path, several);
  assert.deepEqual(await loadNodeFile(path), several);
  const damages: readonly (readonly [string, unknown])[] = [
    ["id", 0],
    ["id", "1"],
    ["name", ""],
    ["cluster", "a b"],
    ["subnet", "10.32.0.1/12"],
    ["targets", ["a b"]],
    ["targets", null],
    ["links", Array(9).fill("10.0.0.1")],
    ["links", [{ number: 8, address: "10.0.0.1", priority: 1 }]],
    ["ports", { gossip: 6783 }],
    ["ports", null],
    ["encryption", "rot13"],
  ];
  for (const [field, value] of damages) {
    writeFileSync(path, JSON.stringify({ ...NODE, [field]: value }));
    await assert.rejects(
      loadNodeFile(path),
      (error) => isHansaError(error, "STATE_DAMAGED") && error.message.includes(`: ${field} is`),
      field,
    );
  }
  for (const text of ["", "{", "[]", "null", '{"version":3}']) {
    writeFileSync(path, text);
    await assert.rejects(loadNodeFile(path), (error) => isHansaError(error, "STATE_DAMAGED"));
  }
});

test("a log's last sentence is a record's message with its error, or the line that says most", () => {
  const path = join(dir, "some.log");
  assert.equal(lastSentence(path, 0), undefined);
  const old = `${JSON.stringify({ msg: "from before" })}\n`;
  writeFileSync(path, old);
  assert.equal(lastSentence(path, old.length), undefined);
  appendFileSync(
    path,
    "node:internal/x:1\n\n\nTypeError: no such thing\n    at f (a.ts:1:1)\n\nNode.js v26\n",
  );
  assert.equal(lastSentence(path, old.length), "TypeError: no such thing");
  appendFileSync(path, `${JSON.stringify({ msg: "cannot start", error: { message: "why" } })}\n`);
  assert.equal(lastSentence(path, old.length), "cannot start: why");
  appendFileSync(path, `<3>${JSON.stringify({ msg: "journal" })}\n{not json\n`);
  assert.equal(lastSentence(path, 10_000), "journal");
});

test("a log that grew too large is moved aside, and its writer goes on in the same file", () => {
  const path = join(dir, "big.log");
  writeFileSync(path, "x".repeat(100));
  assert.equal(rotateLog(path, 100), false);
  appendFileSync(path, "y");
  assert.equal(rotateLog(path, 100), true);
  assert.equal(readFileSync(path, "utf8"), "");
  assert.equal(readFileSync(`${path}.1`, "utf8").length, 101);
  assert.equal(rotateLog(join(dir, "absent.log")), false);
});

test("a pid file counts only while its very process lives", async () => {
  const path = join(dir, "a.pid");
  assert.equal(readPidFile(path), undefined);
  const child = spawn(process.execPath, ["-e", "setInterval(()=>{},1e9)"]);
  await once(child, "spawn");
  const running = processByPid(child.pid ?? 0) ?? assert.fail("it does not run");
  writePidFile(path, running);
  assert.deepEqual(readPidFile(path), running);
  assert.equal(takePidLock(path), false);
  writePidFile(path, { ...running, startTime: "1" });
  assert.equal(readPidFile(path), undefined, "a reused pid");
  writePidFile(path, running);
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(readPidFile(path), undefined);
  assert.equal(takePidLock(path), true);
  assert.equal(takePidLock(path), true, "ours already");
  releasePidLock(path);
  assert.equal(existsSync(path), false);
  writeFileSync(path, "garbage");
  assert.equal(takePidLock(path), true);
  releasePidLock(path);
  assert.deepEqual(
    readdirSync(dir).filter((name) => name.startsWith("a.pid")),
    [],
  );
});

test("a link must be an address of this host, and the refusal names those that it has", () => {
  const interfaces = {
    lo: [{ address: "127.0.0.1" }],
    eth0: [{ address: "192.168.48.11" }],
  } as unknown as NodeJS.Dict<NetworkInterfaceInfo[]>;
  requireOwnLinks(plainLinks(["192.168.48.11"]), interfaces);
  assert.throws(
    () => requireOwnLinks(plainLinks(["192.168.48.11", "1.2.3.4"]), interfaces),
    (error) =>
      isHansaError(error, "USAGE") &&
      /1\.2\.3\.4/.test(error.message) &&
      /192\.168\.48\.11/.test(error.hint),
  );
});

test("a route that refuses packets is in nobody's way, as our own unreachable ones are", () => {
  const line = "*\t0000200A\t00000000\t0200\t0\t0\t0\t0000F8FF\t0\t0\t0";
  assert.deepEqual(usedByRoutes(`Iface\tDestination\n${line}\n`), []);
});

test("a subnet that hosts cannot use, or without an address for the id, is refused before anything runs", () => {
  const asked = { targets: [] };
  const refused = (code: string) => (error: unknown) =>
    error instanceof HansaError && error.code === code;
  for (const subnet of ["127.0.0.0/8", "224.0.0.0/8", "10.0.0.0/21", "10.32.0.1/12"]) {
    assert.throws(
      () => requestedNode({ ...asked, id: 1, subnet }, "h"),
      refused("IPAM_SUBNET_INVALID"),
    );
  }
  const small = { ...asked, subnet: "10.0.0.0/20" };
  assert.throws(() => requestedNode({ ...small, id: 256 }, "h"), refused("IPAM_ID_OUTSIDE_SUBNET"));
  assert.equal(requestedNode({ ...small, id: 255 }, "h").subnet, "10.0.0.0/20");
});
