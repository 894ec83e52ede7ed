import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatSyncConfig, parseDump } from "./kernel-wireguard.ts";
import { sampleKey } from "./lab/sample-input.ts";
import type { OverlaySecrets, WireguardTunnel } from "./overlay-config.ts";
import { formatUapi, parseUapi } from "./uapi-wireguard.ts";
import { type DevicePeer, type DeviceState, isKey, planDevice } from "./wireguard-plan.ts";

const NOW = 1_700_000_000_000;
// In the clamped form, as a device shows it.
const PRIVATE = `${"A".repeat(41)}EA=`;
const [A, B, PSK] = [sampleKey(2), sampleKey(3), sampleKey(91)];
const secrets: OverlaySecrets = { privateKey: PRIVATE, pairKeys: { [A]: PSK, [B]: PSK } };
const wanted: WireguardTunnel = {
  kind: "wireguard",
  device: "hansa-wg",
  listenPort: 6784,
  peers: [
    {
      id: 2,
      publicKey: A,
      endpoint: "192.0.2.2:6784",
      allowedIps: ["10.32.0.2/32", "10.42.0.0/15"],
      keepaliveSeconds: 25,
    },
  ],
};

function device(change: Partial<DevicePeer> = {}): DeviceState {
  const peer: DevicePeer = {
    presharedKey: PSK,
    endpoint: "192.0.2.2:6784",
    allowedIps: ["10.42.0.0/15", "10.32.0.2/32"],
    keepaliveSeconds: 25,
    handshakeAt: NOW - 10_000,
    rxBytes: 1,
    txBytes: 2,
    ...change,
  };
  return { privateKey: PRIVATE, listenPort: 6784, peers: new Map([[A, peer]]) };
}

const SENT = new Map([[A, "192.0.2.2:6784"]]);
const plan = (state: DeviceState, sent: ReadonlyMap<string, string> = SENT) =>
  planDevice(wanted, secrets, state, sent, NOW);

test("a device as wanted needs no change, in whatever order it lists addresses", () => {
  assert.equal(plan(device()), undefined);
});

test("a private key that is not in WireGuard's own form is not set again and again", () => {
  const loose = `Bw${"A".repeat(39)}MA=`;
  assert.equal(
    planDevice(wanted, { ...secrets, privateKey: loose }, device(), SENT, NOW),
    undefined,
  );
});

test("a new device gets everything", () => {
  const change = plan({ privateKey: "", listenPort: 0, peers: new Map() });
  assert.equal(change?.interfaceChanged, true);
  assert.deepEqual(change.peers, [
    {
      publicKey: A,
      presharedKey: PSK,
      endpoint: "192.0.2.2:6784",
      allowedIps: ["10.32.0.2/32", "10.42.0.0/15"],
      keepaliveSeconds: 25,
      changed: true,
    },
  ]);
});

test("an endpoint is sent again only when ours changed or the tunnel does not work", () => {
  const roamed = { endpoint: "198.51.100.9:4000" };
  const sends = (peer: Partial<DevicePeer>, sent?: ReadonlyMap<string, string>) =>
    plan(device(peer), sent)?.peers[0]?.endpoint;
  assert.equal(sends(roamed), undefined);
  assert.equal(sends(roamed, new Map()), undefined, "after a restart of the daemon");
  assert.equal(sends(roamed, new Map([[A, "192.0.2.77:6784"]])), "192.0.2.2:6784");
  assert.equal(sends({ ...roamed, handshakeAt: NOW - 200_000 }), "192.0.2.2:6784");
  assert.equal(sends({ ...roamed, handshakeAt: undefined }), "192.0.2.2:6784");
  assert.equal(sends({ endpoint: null }), "192.0.2.2:6784");
});

test("a tunnel that is lost while gossip hears the peer is sent back to the announced endpoint", () => {
  const lost = {
    ...wanted,
    peers: wanted.peers.map((peer) => ({ ...peer, isLost: true as const })),
  };
  const sends = (state: DeviceState) =>
    planDevice(lost, secrets, state, SENT, NOW)?.peers[0]?.endpoint;
  assert.equal(sends(device({ endpoint: "198.51.100.9:4000" })), "192.0.2.2:6784");
  assert.equal(sends(device()), undefined, "it is there already");
});

test("a peer whose packets came by a link that is not used is sent back to the one that is", () => {
  const peers = wanted.peers.map((peer) => ({ ...peer, otherEndpoints: ["198.51.100.2:6784"] }));
  const sends = (endpoint: string, sent = SENT) =>
    planDevice({ ...wanted, peers }, secrets, device({ endpoint }), sent, NOW)?.peers[0]?.endpoint;
  for (const sent of [SENT, new Map<string, string>()])
    assert.equal(sends("198.51.100.2:6784", sent), "192.0.2.2:6784");
  assert.equal(sends("198.51.100.9:6784"), undefined, "it roamed");
  assert.equal(sends("192.0.2.2:6784"), undefined, "it is there");
});

test("a change of addresses leaves a roamed endpoint alone", () => {
  const change = plan(device({ endpoint: "198.51.100.9:4000", allowedIps: ["10.32.0.2/32"] }));
  assert.equal(change?.peers[0]?.changed, true);
  assert.equal(change.peers[0].endpoint, undefined);
  assert.doesNotMatch(formatUapi(change), /endpoint/);
  assert.doesNotMatch(formatSyncConfig(change), /Endpoint/);
});

test("peers that are not wanted, and peers without a pair key, are removed", () => {
  const state = device();
  const extra = new Map([...state.peers, [B, state.peers.get(A)!]]);
  assert.deepEqual(plan({ ...state, peers: extra })?.remove, [B]);
  const change = planDevice(wanted, { ...secrets, pairKeys: {} }, state, SENT, NOW);
  assert.deepEqual([change?.remove, change?.peers], [[A], []]);
});

test("only what differs goes to wireguard-go; wg gets the whole", () => {
  const two = {
    ...wanted,
    peers: [
      ...wanted.peers,
      { ...wanted.peers[0]!, id: 3, publicKey: B, allowedIps: ["10.44.0.0/15"] },
    ],
  };
  const change = planDevice(two, secrets, device(), SENT, NOW)!;
  const hex = (key: string): string => Buffer.from(key, "base64").toString("hex");
  assert.equal(
    formatUapi(change),
    [
      "set=1",
      `public_key=${hex(B)}`,
      `preshared_key=${hex(PSK)}`,
      "endpoint=192.0.2.2:6784",
      "persistent_keepalive_interval=25",
      "replace_allowed_ips=true",
      "allowed_ip=10.44.0.0/15",
      "",
      "",
    ].join("\n"),
  );
  assert.equal(formatSyncConfig(change).match(/\[Peer\]/g)?.length, 2);
  assert.match(formatSyncConfig(change), /^AllowedIPs = 10\.32\.0\.2\/32, 10\.42\.0\.0\/15$/m);
});

test("both ways of reading a device tell the same", () => {
  const hex = (key: string): string => Buffer.from(key, "base64").toString("hex");
  const uapi = parseUapi(
    [
      `private_key=${hex(PRIVATE)}`,
      "listen_port=6784",
      `public_key=${hex(A)}`,
      `preshared_key=${hex(PSK)}`,
      "protocol_version=1",
      "endpoint=192.0.2.2:6784",
      `last_handshake_time_sec=${(NOW - 10_000) / 1000}`,
      "last_handshake_time_nsec=0",
      "tx_bytes=2",
      "rx_bytes=1",
      "persistent_keepalive_interval=25",
      "allowed_ip=10.42.0.0/15",
      "allowed_ip=10.32.0.2/32",
      "errno=0",
      "",
      "",
    ].join("\n"),
  );
  const dump = parseDump(
    `${PRIVATE}\t${sampleKey(1)}\t6784\toff\n` +
      `${A}\t${PSK}\t192.0.2.2:6784\t10.42.0.0/15,10.32.0.2/32\t${(NOW - 10_000) / 1000}\t1\t2\t25\n`,
  );
  assert.deepEqual(uapi, device());
  assert.deepEqual(dump, device());
  const none = parseDump(`(none)\t(none)\t0\toff\n${B}\t(none)\t(none)\t(none)\t0\t0\t0\toff\n`);
  assert.equal(none.privateKey, "");
  assert.deepEqual(none.peers.get(B), {
    presharedKey: "",
    endpoint: null,
    allowedIps: [],
    keepaliveSeconds: 0,
    handshakeAt: undefined,
    rxBytes: 0,
    txBytes: 0,
  });
});

test("answers of any bytes are read without throwing", () => {
  fc.assert(fc.property(fc.string(), (text) => void [parseUapi(text), parseDump(text)]));
});

test("isKey takes exactly base64 of 32 bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 40 }), (bytes) => {
      assert.equal(isKey(Buffer.from(bytes).toString("base64")), bytes.length === 32);
    }),
  );
  assert.equal(isKey(`${A}\n`), false);
});
