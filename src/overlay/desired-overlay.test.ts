import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { cidrRange, contains, overlaps, parseCidr, type Range } from "../values/cidr.ts";
import { formatIpv4, parseIpv4 } from "../values/ipv4.ts";
import { desiredOverlay } from "./desired-overlay.ts";
import { dockerNetwork } from "./docker-network.ts";
import { sampleInput, sampleKey } from "./lab/sample-input.ts";
import {
  type DockerFacts,
  type OverlayConfig,
  type OverlayInput,
  type Segment,
  TUNNEL_DEVICES,
} from "./overlay-config.ts";

const DOCKERS: Readonly<Record<string, DockerFacts>> = {
  "docker-20": { version: "20.10.24+dfsg1", firewallBackend: "iptables" },
  "docker-28": { version: "28.5.1", firewallBackend: "iptables" },
  "docker-29": { version: "29.0.2", firewallBackend: "nftables" },
};

for (const [name, docker] of Object.entries(DOCKERS)) {
  test(`the complete rule set for ${name} is the recorded one`, () => {
    const file = join(import.meta.dirname, `golden/${name}.golden`);
    const text = describe(sampleInput(docker));
    if (process.env["UPDATE_GOLDEN"]) writeFileSync(file, text);
    assert.equal(text, readFileSync(file, "utf8"));
  });
}

for (const family of ["ipv4", "ipv6"]) {
  test(`the complete rule set for VXLAN over ${family} is the recorded one`, () => {
    const file = join(import.meta.dirname, `golden/vxlan-${family}.golden`);
    const input = sampleInput(DOCKERS["docker-28"]!, "vxlan");
    const text = describe(family === "ipv4" ? input : overIpv6(input));
    if (process.env["UPDATE_GOLDEN"]) writeFileSync(file, text);
    assert.equal(text, readFileSync(file, "utf8"));
  });
}

test("VXLAN on hosts with several links lets in all addresses of a peer, and leaves its own to the route", () => {
  const input = vxlanOf(sampleInput(DOCKERS["docker-28"]!));
  const peers = input.peers.map((peer) => ({
    ...peer,
    otherAddresses: [`198.51.100.${peer.id}`, "2001:db8::1"],
  }));
  const self = { ...input.self, hasSeveralLinks: true as const };
  const { tunnel, firewall } = desiredOverlay({ ...input, self, peers });
  assert.ok(tunnel.kind === "vxlan");
  assert.equal(tunnel.local, "");
  const [first] = peers;
  for (const wanted of [`198.51.100.${first?.id}`, `198.51.100.${first?.id} . 6784`])
    assert.ok(firewall.includes(wanted), wanted);
  assert.ok(!firewall.includes("2001:db8::1"), "the device has one family");
});

test("WireGuard is told the links of a peer that are not used, but of a peer that a relay carries", () => {
  const input = sampleInput(DOCKERS["docker-28"]!);
  const peers = input.peers.map((peer) => ({
    ...{ ...peer, otherAddresses: ["198.51.100.1", "2001:db8::1"] },
    ...(peer.id === 3 && { relay: { port: 9, askerKey: sampleKey(77) } }),
  }));
  const { tunnel } = desiredOverlay({ ...input, peers });
  assert.ok(tunnel.kind === "wireguard");
  const told = tunnel.peers.map(({ id, otherEndpoints }) => [id, otherEndpoints]);
  const both = ["198.51.100.1:6784", "[2001:db8::1]:6784"];
  assert.deepEqual(told, [
    [2, both],
    [3, undefined],
    [3, undefined],
    [5, undefined],
  ]);
});

test("Docker 29 with its iptables backend gets the rules of 28", () => {
  const of = (version: string): string =>
    describe(sampleInput({ version, firewallBackend: "iptables" }));
  assert.equal(of("29.0.2"), of("28.5.1"));
});

test("each address of the subnet has exactly one route decision, that of its owner", () => {
  fc.assert(
    fc.property(clusters(), fc.array(fc.nat(2 ** 20 - 1), { maxLength: 30 }), (input, offsets) => {
      const { routes } = desiredOverlay(input);
      assert.deepEqual(
        desiredOverlay(vxlanOf(input)).routes.map(({ device }) => device?.replace("-vx", "-wg")),
        routes.map(({ device }) => device ?? undefined),
      );
      assert.equal(new Set(routes.map((route) => route.destination)).size, routes.length);
      const edges = input.segments.flatMap(({ start, end }) => [start, end - 1]);
      const nodes = input.peers.map((peer) => peer.address);
      const picked = offsets.map((offset) => input.subnet.base + offset);
      for (const address of [...edges, ...nodes, ...picked]) {
        if (address === input.self.address) continue;
        assert.equal(decision(routes, address), expected(input, address), `${address}`);
      }
    }),
    { numRuns: 150 },
  );
});

test("allowed IPs of different peers never overlap and are what each owns", () => {
  fc.assert(
    fc.property(clusters(), (input) => {
      const { tunnel } = desiredOverlay(input);
      assert.ok(tunnel.kind === "wireguard");
      const blocks = tunnel.peers.flatMap((peer) =>
        peer.allowedIps.map((text) => ({ id: peer.id, range: rangeOf(text) })),
      );
      for (const [index, one] of blocks.entries()) {
        for (const other of blocks.slice(index + 1)) {
          assert.ok(!overlaps(one.range, other.range));
        }
      }
      for (const peer of input.peers) {
        const size = (ranges: readonly Range[]): number =>
          ranges.reduce((sum, { start, end }) => sum + end - start, 0);
        const owned = input.segments.filter((segment) => segment.owner === peer.id);
        const allowed = blocks.filter((block) => block.id === peer.id).map(({ range }) => range);
        assert.equal(size(allowed), size(owned) + 1);
      }
    }),
    { numRuns: 150 },
  );
});

test("the order of peers and segments does not matter", () => {
  fc.assert(
    fc.property(clusters(), (input) => {
      const reversed = {
        ...input,
        peers: input.peers.toReversed(),
        segments: input.segments.toReversed(),
      };
      assert.deepEqual(desiredOverlay(reversed), desiredOverlay(input));
    }),
    { numRuns: 50 },
  );
});

test("hostile gossip costs only its own peer the tunnel", () => {
  const good = sampleInput(DOCKERS["docker-20"]!);
  const [first, ...rest] = good.peers;
  const bad = (publicKey: string): OverlayConfig =>
    desiredOverlay({ ...good, peers: [{ ...first!, publicKey }, ...rest] });
  for (const key of ["", "x", `${sampleKey(5)}\nremove=true`, `${sampleKey(5)}=`, sampleKey(2)]) {
    const config = bad(key);
    assert.deepEqual(
      config.tunnel.peers.map(({ id }) => id),
      [2, 3],
    );
    assert.equal(decision(config.routes, parseIpv4("10.32.0.5")!), null);
  }
  const endpoint = { ip: "1.2.3.4\nreplace_peers=true", port: 1 };
  const { tunnel } = desiredOverlay({ ...good, peers: [{ ...first!, endpoint }, ...rest] });
  assert.ok(tunnel.kind === "wireguard");
  assert.equal(tunnel.peers.at(-1)?.endpoint, null);
});

test("by VXLAN, too, hostile gossip costs only its own peer the tunnel", () => {
  const good = sampleInput(DOCKERS["docker-20"]!, "vxlan");
  const [first, ...rest] = good.peers;
  for (const endpoint of [
    undefined,
    { ip: "1.2.3.4\nlink delete dev eth0", port: 6784 },
    { ip: "host2", port: 6784 },
    { ip: "2001:db8::5", port: 6784 },
    { ip: "192.0.2.5", port: 0 },
    { ip: "192.0.2.5", port: 1.5 },
  ]) {
    const config = desiredOverlay({ ...good, peers: [{ ...first!, endpoint }, ...rest] });
    assert.deepEqual(
      config.tunnel.peers.map(({ id }) => id),
      [2, 3],
    );
    assert.equal(decision(config.routes, parseIpv4("10.32.0.5")!), null);
  }
});

test("by VXLAN each route into the tunnel but a node's own goes by the node address of a peer", () => {
  fc.assert(
    fc.property(clusters(), (wireguard) => {
      const input = vxlanOf(wireguard);
      const config = desiredOverlay(input);
      const nodes = new Map(input.peers.map((peer) => [formatIpv4(peer.address), peer.id]));
      for (const { destination, device, via } of config.routes) {
        if (device !== "hansa-vx" || destination.endsWith("/32")) continue;
        const owner = input.segments.find((each) => contains(each, rangeOf(destination).start));
        assert.equal(via && nodes.get(via), owner?.owner);
      }
      const marks = config.tunnel.peers.map((peer) => "mac" in peer && peer.mac);
      assert.equal(new Set(marks).size, input.peers.length);
    }),
    { numRuns: 100 },
  );
});

test("an owner of the whole subnet does not replace the kernel's own on-link route", () => {
  const input = sampleInput(DOCKERS["docker-20"]!);
  const { start, end } = cidrRange(input.subnet);
  const { routes } = desiredOverlay({ ...input, peers: [], segments: [{ start, end, owner: 1 }] });
  assert.deepEqual(routes, [
    { destination: "10.32.0.0/13", device: "hansa0" },
    { destination: "10.40.0.0/13", device: "hansa0" },
  ]);
});

test("the config is plain data and holds nothing but what the input says", () => {
  const config = desiredOverlay(sampleInput(DOCKERS["docker-28"]!));
  assert.deepEqual(JSON.parse(JSON.stringify(config)), config);
});

/** The longest route that has the address. */
function decision(routes: OverlayConfig["routes"], address: number): string | null | undefined {
  let best: { readonly size: number; readonly device: string | null } | undefined;
  for (const { destination, device } of routes) {
    const range = rangeOf(destination);
    const size = range.end - range.start;
    if (contains(range, address) && (best === undefined || size < best.size))
      best = { size, device };
  }
  return best?.device;
}

function expected(input: OverlayInput, address: number): string | null {
  if (input.peers.some((peer) => peer.address === address)) return TUNNEL_DEVICES[input.backend];
  const owner = input.segments.find((segment) => contains(segment, address))?.owner;
  if (owner === input.self.id) return input.bridge;
  return input.peers.some((peer) => peer.id === owner) ? TUNNEL_DEVICES[input.backend] : null;
}

/** The same cluster by VXLAN, whose peers need an endpoint. */
function vxlanOf(input: OverlayInput): OverlayInput {
  const peers = input.peers.map((peer) => ({
    ...peer,
    endpoint: { ip: `192.0.2.${peer.id}`, port: 6784 },
  }));
  return { ...input, backend: "vxlan", peers };
}

function overIpv6(input: OverlayInput): OverlayInput {
  const peers = input.peers.map((peer) => ({
    ...peer,
    endpoint: peer.endpoint && { ip: `2001:db8::${peer.id}`, port: 6784 },
  }));
  return { ...input, self: { ...input.self, underlay: "2001:db8::1" }, peers };
}

function rangeOf(text: string): Range {
  const cidr = parseCidr(text);
  assert.ok(cidr, text);
  return cidrRange(cidr);
}

/** Clusters of up to 8 ids, some unknown, with any partition of the space behind the node addresses. */
function clusters(): fc.Arbitrary<OverlayInput> {
  const base = parseIpv4("10.32.0.0")!;
  const [first, last] = [base + 2 ** 16, base + 2 ** 20];
  return fc
    .record({
      known: fc.uniqueArray(fc.integer({ min: 2, max: 8 }), { maxLength: 7 }),
      cuts: fc.array(
        fc.record({
          at: fc.oneof(
            fc.integer({ min: first, max: last - 1 }),
            fc.integer({ min: 2, max: 31 }).map((n) => base + n * 2 ** 15),
          ),
          owner: fc.integer({ min: 0, max: 8 }),
        }),
        { maxLength: 25 },
      ),
    })
    .map(({ known, cuts }) => {
      const sorted = [...new Map(cuts.map((cut) => [cut.at, cut.owner]))].toSorted(
        ([a], [b]) => a - b,
      );
      const segments: Segment[] = sorted
        .map(([start, owner], index) => ({ start, end: sorted[index + 1]?.[0] ?? last, owner }))
        // Owner 0 stands for a gap in what we know of the ring.
        .filter((segment) => segment.owner > 0);
      return {
        ...sampleInput(DOCKERS["docker-20"]!),
        peers: known.map((id) => ({
          id,
          address: base + id,
          publicKey: sampleKey(id),
          endpoint: undefined,
        })),
        segments,
      };
    });
}

function describe(input: OverlayInput): string {
  const config = desiredOverlay(input);
  return [
    section("nftables", [config.firewall.trimEnd()]),
    section("nftables, fast path", [config.fastPath.trimEnd()]),
    section(
      "iptables DOCKER-USER",
      config.dockerUser.map((rule) => rule.join(" ")),
    ),
    section(
      "sysctls",
      config.sysctls.map(({ path, value, rule }) => `${path} ${rule} ${value}`),
    ),
    section(
      `routes (src ${config.address})`,
      config.routes.map(
        ({ destination, device, via }) =>
          `${destination} ${device ?? "unreachable"}${via === undefined ? "" : ` via ${via}`}`,
      ),
    ),
    tunnelSection(config),
    section("docker network", [JSON.stringify(dockerNetwork(input), null, 2)]),
  ].join("\n");
}

function tunnelSection({ tunnel, mtu }: OverlayConfig): string {
  if (tunnel.kind === "wireguard") {
    return section(
      `wireguard port ${tunnel.listenPort} mtu ${mtu}`,
      tunnel.peers.map((peer) => `${peer.id} ${peer.endpoint ?? "-"} ${peer.allowedIps.join(" ")}`),
    );
  }
  const { vni, port, local, mac, checksums, peers } = tunnel;
  return section(
    `vxlan ${vni} port ${port} mtu ${mtu} local ${local} mac ${mac} checksums ${checksums}`,
    peers.map((peer) => `${peer.id} ${peer.address} ${peer.mac} ${peer.ip} port ${peer.port}`),
  );
}

function section(title: string, lines: readonly string[]): string {
  return `== ${title}\n${lines.length === 0 ? "(none)" : lines.join("\n")}\n`;
}
