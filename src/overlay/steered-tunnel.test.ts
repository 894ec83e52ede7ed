import assert from "node:assert/strict";
import { test } from "node:test";
import type { OverlayConfig, VxlanTunnel, WireguardTunnel } from "./overlay-config.ts";
import { steeredTunnel } from "./steered-tunnel.ts";

const wireguard = (...endpoints: readonly (string | null)[]): WireguardTunnel => ({
  ...{ kind: "wireguard", device: "hansa-wg", listenPort: 6784 },
  peers: endpoints.map((endpoint, index) => ({
    ...{ id: index + 2, publicKey: `key${index + 2}`, endpoint, allowedIps: [] },
    keepaliveSeconds: 25,
  })),
});

const vxlan = (...ips: readonly string[]): VxlanTunnel => ({
  ...{ kind: "vxlan", device: "hansa-vx", vni: 6784, port: 6784, mac: "02:00:00:00:00:01" },
  ...{ local: "", checksums: "offloaded" },
  peers: ips.map((ip, index) => ({
    ...{ id: index + 2, address: `10.32.0.${index + 2}`, mac: `02:00:00:00:00:0${index}` },
    ...{ ip, port: 6784 },
  })),
});

test("peers that moved are where they are now, and WireGuard's own idea of it is not kept", () => {
  const known = wireguard("10.0.0.2:6784", "10.0.0.3:6784");
  const wanted = wireguard("10.0.1.2:6784", "10.0.1.3:6784", "10.0.1.4:6784");
  const steered = steeredTunnel(known, wanted, new Set([2, 4]));
  assert.ok(steered.kind === "wireguard");
  assert.deepEqual(
    steered.peers.map(({ endpoint, isLost }) => [endpoint, isLost]),
    [
      ["10.0.1.2:6784", true],
      ["10.0.0.3:6784", undefined],
    ],
  );
});

test("the same by VXLAN", () => {
  const steered = steeredTunnel(
    vxlan("10.0.0.2", "10.0.0.3"),
    vxlan("10.0.1.2", "10.0.1.3"),
    new Set([3]),
  );
  assert.ok(steered.kind === "vxlan");
  assert.deepEqual(
    steered.peers.map(({ ip }) => ip),
    ["10.0.0.2", "10.0.1.3"],
  );
});

test("another kind of tunnel is left to the whole set", () => {
  const known: OverlayConfig["tunnel"] = vxlan("10.0.0.2");
  assert.equal(steeredTunnel(known, wireguard("10.0.1.2:6784"), new Set([2])), known);
});
