import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, test } from "node:test";
import { exampleJoinInfo } from "../../api/fake-cluster.ts";
import type { NodeClient } from "../../client/node-client.ts";
import { HansaError, isHansaError } from "../../errors.ts";
import type { Command, CommandOptions, CommandResult } from "../../host/command.ts";
import { checkPaths } from "../../joining/check-paths.ts";
import { arrivalTable, JoinerCheck } from "./joiner-check.ts";

const folder = mkdtempSync(join(tmpdir(), "hansa-joiner-"));
const mark = join(folder, "join-check");
after(() => rmSync(folder, { recursive: true }));
// Whatever became of a check: nothing of it is left.
afterEach(() => assert.equal(existsSync(mark), false));

/** An nft that counts so many packets on each rule, and keeps what tables there are. */
class FakeNft implements Command {
  readonly tables = new Set<string>();
  readonly packets: readonly number[];

  constructor(packets: readonly number[]) {
    this.packets = packets;
  }

  async run(argv: readonly string[], { stdin = "" }: CommandOptions = {}): Promise<CommandResult> {
    const [, name = ""] = /^table inet (\S+)/.exec(`${stdin}`) ?? [];
    if (name !== "") this.tables.add(name);
    if (argv[1] === "list" && argv[2] === "tables") {
      const stdout = [...this.tables].map((each) => `table inet ${each}\n`).join("");
      return { status: 0, stdout, stderr: "" };
    }
    if (argv[1] === "delete") this.tables.delete(argv.at(-1) ?? "");
    const stdout = this.packets.map((count) => `counter packets ${count} bytes 0 drop`).join("\n");
    return { status: 0, stdout, stderr: "" };
  }
}

const base = 20_000 + (process.pid % 12_000);
const ports = { gossip: base, overlay: base + 1, api: base + 2 };

test("a host and two members find every port open both ways over loopback, and what does not arrive is told", async () => {
  const nft = new FakeNft([3, 0]);
  const member = new JoinerCheck(nft, { gossip: 6783, overlay: 6784 }, mark);
  const info = exampleJoinInfo();
  const nodes = info.nodes.map((node) => ({ ...node, address: "127.0.0.1", ports }));
  let refusals = 0;
  const client = {
    checkJoiner: async (request: Parameters<NodeClient["checkJoiner"]>[0]) => {
      // Eight others are before this host.
      refusals += 1;
      if (refusals === 1) throw new HansaError("JOINS_MANY", "8 hosts are being checked already");
      return await member.check(request, "::ffff:127.0.0.1");
    },
  } as NodeClient;
  const paths = await checkPaths({
    ...{ info: { ...info, nodes }, ports, links: undefined },
    asked: { host: "127.0.0.1", port: ports.api },
    clientAt: () => client,
    anyOf: () => 0,
    addressesOf: async (host) => [host],
  });
  assert.deepEqual([...new Set(paths.map(({ member: name }) => name))], ["hp2", "hp1"]);
  const closed = paths.filter(({ isOpen }) => !isOpen);
  assert.deepEqual(
    closed.map(({ member: name, direction, protocol, port }) => [name, direction, protocol, port]),
    ["hp2", "hp1"].map((name) => [name, "from-host", "udp", 6784]),
  );
  assert.equal(paths.length, 2 * 10);
  assert.equal(nft.tables.size, 0);
});

test("each link is looked at by itself, of both families, and what is closed on one is told of that one", async () => {
  const loopback = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const hasIpv6 = loopback.some(({ address }) => address === "::1");
  const second = hasIpv6 ? "::1" : "127.0.0.3";
  const nft = new FakeNft([1, 1]);
  const member = new JoinerCheck(nft, { gossip: 6783, overlay: 6784 }, mark);
  const info = exampleJoinInfo();
  const links = ["127.0.0.1", second, "127.0.0.4"].map((address, number) => ({
    ...{ number, address, priority: 1 },
  }));
  const [hp1] = info.nodes;
  assert.ok(hp1);
  // Its third link is another one: that is told elsewhere.
  const theirs = links.map((link) => ({ ...link, number: link.number === 2 ? 5 : link.number }));
  const api = { ...ports, gossip: ports.gossip + 3, overlay: ports.overlay + 3 };
  const nodes = [{ ...hp1, address: "127.0.0.1", ports: api, links: theirs }];
  const asked: string[] = [];
  const nonces = new Set<string>();
  const client = {
    checkJoiner: async (request: Parameters<NodeClient["checkJoiner"]>[0]) => {
      asked.push(`${request.address}`);
      nonces.add(request.nonce);
      return await member.check(request, "unix");
    },
  } as NodeClient;
  const paths = await checkPaths({
    ...{ info: { ...info, nodes, nodeId: 1 }, ports, links },
    asked: { host: "127.0.0.1", port: ports.api },
    clientAt: () => client,
    anyOf: () => 0,
    addressesOf: async (host) => [host],
  });
  assert.deepEqual([asked, nonces.size], [["127.0.0.1", second], 2]);
  const told = (isOpen: boolean) =>
    paths
      .filter((path) => path.isOpen === isOpen)
      .map(({ link, direction, protocol, port }) => `${link} ${direction} ${protocol} ${port}`);
  // The host's own ports are the member's here, but for gossip's and the overlay's.
  const closed = [0, 1].flatMap((link) =>
    [api.gossip, api.overlay].map((port) => `${link} from-host tcp ${port}`),
  );
  assert.deepEqual(told(false).sort(), closed.sort());
  assert.equal(told(true).length, 2 * 8);
});

test("a name with addresses of both families is looked at by IPv4, where every node listens", async () => {
  const member = new JoinerCheck(new FakeNft([1, 1]), { gossip: 6783, overlay: 6784 }, mark);
  const info = exampleJoinInfo();
  const [hp1] = info.nodes;
  assert.ok(hp1);
  const there = { ...ports, gossip: ports.gossip + 6, overlay: ports.overlay + 6 };
  const nodes = [{ ...hp1, address: "127.0.0.1", ports: there, links: [] }];
  const client = {
    checkJoiner: (request: Parameters<NodeClient["checkJoiner"]>[0]) =>
      member.check(request, "127.0.0.1"),
  } as NodeClient;
  const servers = await Promise.all(
    [there.gossip, there.overlay].map(async (port) => {
      const server = createServer((socket) => socket.destroy()).listen({ port, host: "127.0.0.1" });
      await once(server, "listening");
      return server;
    }),
  );
  try {
    const paths = await checkPaths({
      ...{ info: { ...info, nodes, nodeId: 1 }, ports, links: undefined },
      asked: { host: "hp1.example", port: ports.api },
      clientAt: () => client,
      anyOf: () => 0,
      addressesOf: async (host) => (host === "hp1.example" ? ["::1", "127.0.0.1"] : []),
    });
    assert.deepEqual(
      paths.filter(({ isOpen }) => !isOpen),
      [],
    );
  } finally {
    for (const server of servers) server.close();
  }
});

test("a host whose own addresses are IPv4 takes no port of IPv6, and a member's link of IPv6 is looked at all the same", async () => {
  const info = exampleJoinInfo();
  const [hp1] = info.nodes;
  assert.ok(hp1);
  const links = ["127.0.0.1", "127.0.0.1"].map((address, number) => ({
    ...{ number, address, priority: 1 },
  }));
  const theirs = links.map((link) => (link.number === 1 ? { ...link, address: "::1" } : link));
  const nodes = [{ ...hp1, address: "127.0.0.1", ports, links: theirs }];
  const member = new JoinerCheck(new FakeNft([1, 1]), { gossip: 6783, overlay: 6784 }, mark);
  const client = {
    checkJoiner: (request: Parameters<NodeClient["checkJoiner"]>[0]) =>
      member.check(request, "unix"),
  } as NodeClient;
  const holder = createSocket({ type: "udp6", ipv6Only: true });
  const held = once(holder, "listening");
  holder.bind(ports.gossip);
  // Where there is no IPv6 nobody can hold the port there.
  await held.catch(() => undefined);
  try {
    const paths = await checkPaths({
      ...{ info: { ...info, nodes, nodeId: 1 }, ports, links },
      asked: { host: "127.0.0.1", port: ports.api },
      clientAt: () => client,
      anyOf: () => 0,
      addressesOf: async (host) => [host],
    });
    assert.deepEqual([...new Set(paths.map(({ link }) => link))], [0, 1]);
  } finally {
    holder.close();
  }
});

test("a port where something else answers is not open, and what cannot be looked for is refused", async () => {
  const member = new JoinerCheck(new FakeNft([1, 1]), { gossip: 6783, overlay: 6784 }, mark);
  const nonce = randomBytes(16).toString("hex");
  const request = { ports, hasRelay: false, nonce };
  const { paths } = await member.check({ ...request, address: "127.0.0.1" }, "unix");
  assert.deepEqual(
    paths.filter(({ isOpen }) => isOpen).map(({ direction }) => direction),
    ["from-host", "from-host"],
  );
  await assert.rejects(member.check(request, "unix"), (error) => isHansaError(error, "USAGE"));
});

test("tables that a daemon left when it died are taken away, and nobody else's", async () => {
  const nft = new FakeNft([]);
  const others = ["hansa", "hansa_join_mine", "filter"];
  for (const name of [...others, "hansa_join_00112233445566ff"]) nft.tables.add(name);
  const checks = new JoinerCheck(nft, { gossip: 6783, overlay: 6784 }, mark);
  // None died in a check, as far as is known: no program is started to look.
  await checks.clear();
  assert.equal(nft.tables.size, others.length + 1);
  writeFileSync(mark, "");
  await checks.clear();
  assert.deepEqual([...nft.tables], others);
});

test("a check that is under way keeps its table when those of former ones are taken away", async () => {
  const nft = new FakeNft([1, 1]);
  const removed: string[] = [];
  let isMarked = false;
  let isCleared = false;
  const command: Command = {
    async run(argv, options) {
      const isMade = argv[1] === "-f";
      isMarked ||= isMade && existsSync(mark);
      if (argv[1] === "delete") removed.push(`${isCleared ? "after" : "clear"} ${argv.at(-1)}`);
      const result = await nft.run(argv, options);
      if (isMade) await checks.clear();
      isCleared ||= isMade;
      return result;
    },
  };
  const checks = new JoinerCheck(command, { gossip: 6783, overlay: 6784 }, mark);
  nft.tables.add("hansa_join_00112233445566ff");
  const nonce = "ab".repeat(16);
  await checks.check({ ports, hasRelay: false, nonce, address: "127.0.0.1" }, "unix");
  assert.deepEqual(removed, [
    "clear hansa_join_00112233445566ff",
    `after hansa_join_${"ab".repeat(8)}`,
  ]);
  // Before there is a table, so that a daemon that dies then is known to have left one.
  assert.ok(isMarked);
});

test("datagrams are counted behind all filters and kept from gossip and the tunnel", () => {
  assert.equal(
    arrivalTable("hansa_join_00", [6783, 6784], "00ff".repeat(8)),
    `table inet hansa_join_00 {
	chain input {
		type filter hook input priority 300; policy accept;
		udp dport 6783 @th,64,128 0x${"00ff".repeat(8)} counter drop
		udp dport 6784 @th,64,128 0x${"00ff".repeat(8)} counter drop
	}
}
`,
  );
});
