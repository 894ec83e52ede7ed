import assert from "node:assert/strict";
import {
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
} from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import fc from "fast-check";
import { blake2sMac } from "./blake2s.ts";
import { DirectProbes } from "./direct-probes.ts";
import { answeredIndex, handshakeInitiation, x25519PublicKey } from "./handshake-initiation.ts";

/** From Python's hashlib.blake2s(bytes(range(n)), key=bytes(range(32)), digest_size=16). */
const VECTORS: readonly (readonly [number, string])[] = [
  [0, "9536f9b267655743dee97b8a670f9f53"],
  [1, "13bacfb85b48a1223c595f8c1e7e82cb"],
  [64, "f1efa90d2547036841ecd3627fafbc36"],
  [65, "811ff8686d23a435ecbd0bdafcd27b1b"],
  [116, "072e94ffbfc684bd8ab2a1b9dade2fd5"],
  [200, "42a6f8ff590af21b512e9e088257aa34"],
];

test("the MAC is that of another implementation", () => {
  const key = Uint8Array.from({ length: 32 }, (_, index) => index);
  for (const [length, expected] of VECTORS) {
    const message = Uint8Array.from({ length }, (_, index) => index);
    assert.equal(Buffer.from(blake2sMac(key, message)).toString("hex"), expected);
  }
});

const hash = (...parts: Uint8Array[]) =>
  createHash("blake2s256").update(Buffer.concat(parts)).digest();
const hmac = (key: Uint8Array, ...parts: Uint8Array[]) =>
  createHmac("blake2s256", key).update(Buffer.concat(parts)).digest();

function agree(privateKey: Uint8Array, publicKey: Uint8Array): Buffer {
  const der = (prefix: string, key: Uint8Array) => Buffer.concat([Buffer.from(prefix, "hex"), key]);
  return diffieHellman({
    privateKey: createPrivateKey({
      key: der("302e020100300506032b656e04220420", privateKey),
      format: "der",
      type: "pkcs8",
    }),
    publicKey: createPublicKey({
      key: der("302a300506032b656e032100", publicKey),
      format: "der",
      type: "spki",
    }),
  });
}

function open(key: Uint8Array, sealed: Buffer, seen: Uint8Array): Buffer {
  const text = sealed.subarray(0, -16);
  const cipher = createDecipheriv("chacha20-poly1305", key, Buffer.alloc(12), {
    authTagLength: 16,
  });
  cipher.setAAD(seen, { plaintextLength: text.length });
  cipher.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([cipher.update(text), cipher.final()]);
}

/** What the WireGuard with that private key reads in the message. */
function opened(message: Buffer, peer: Uint8Array): { asker: Buffer; stamp: Buffer } {
  const peerKey = x25519PublicKey(peer);
  let chain = hash(Buffer.from("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"));
  let seen = hash(hash(chain, Buffer.from("WireGuard v1 zx2c4 Jason@zx2c4.com")), peerKey);
  const theirEphemeral = message.subarray(8, 40);
  seen = hash(seen, theirEphemeral);
  chain = hmac(hmac(chain, theirEphemeral), Uint8Array.of(1));
  const mixed = (input: Uint8Array): Buffer => {
    const secret = hmac(chain, input);
    chain = hmac(secret, Uint8Array.of(1));
    return hmac(secret, chain, Uint8Array.of(2));
  };
  const asker = open(mixed(agree(peer, theirEphemeral)), message.subarray(40, 88), seen);
  seen = hash(seen, message.subarray(40, 88));
  return { asker, stamp: open(mixed(agree(peer, asker)), message.subarray(88, 116), seen) };
}

test("the one asked opens the message, and finds in it who asks and when", () => {
  const keys = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));
  const [own = keys[0]!, ephemeral = keys[1]!, peer = keys[2]!] = keys;
  const peerKey = x25519PublicKey(peer);
  const message = Buffer.from(
    handshakeInitiation({
      privateKey: own,
      ephemeralKey: ephemeral,
      peerKey,
      index: 0xdeadbeef,
      wallMs: 1_700_000_000_123,
    }),
  );
  assert.equal(message.readUInt32LE(4), 0xdeadbeef);
  assert.deepEqual(new Uint8Array(message.subarray(8, 40)), x25519PublicKey(ephemeral));
  const { asker, stamp } = opened(message, peer);
  assert.deepEqual(new Uint8Array(asker), x25519PublicKey(own));
  assert.equal(stamp.readBigUInt64BE(0) - (2n ** 62n + 10n), 1_700_000_000n);
  assert.equal(stamp.readUInt32BE(8), 123_000_000);
  const mac = blake2sMac(hash(Buffer.from("mac1----"), peerKey), message.subarray(0, 116));
  assert.deepEqual(new Uint8Array(message.subarray(116, 132)), mac);
});

test("each question is newer than the last, whatever the clock shows", async () => {
  const peer = new Uint8Array(32).fill(3);
  const wireguard = createSocket("udp4");
  const clock = [1_700_000_000_999, 1_700_000_000_999, 1_600_000_000_000, 1_700_000_001_002];
  let at = 0;
  const probes = new DirectProbes({
    privateKey: new Uint8Array(32).fill(1),
    wallMs: () => clock[at++] ?? 0,
    answered: () => undefined,
  });
  try {
    await new Promise<void>((resolve) => wireguard.bind(0, "127.0.0.1", resolve));
    const stamps: string[] = [];
    for (const _ of clock) {
      const arrived = once(wireguard, "message");
      probes.ask(2, x25519PublicKey(peer), { ip: "127.0.0.1", port: wireguard.address().port });
      stamps.push(opened((await arrived)[0], peer).stamp.toString("hex"));
    }
    // A WireGuard compares them as bytes.
    assert.deepEqual(stamps, [...new Set(stamps)].sort());
    assert.equal(stamps.length, clock.length);
  } finally {
    probes.rest();
    wireguard.close();
  }
});

test("only answers to initiations have an index, and no bytes make the reader throw", () => {
  const response = Buffer.alloc(92);
  response[0] = 2;
  response.writeUInt32LE(77, 8);
  assert.equal(answeredIndex(response), 77);
  const cookie = Buffer.alloc(64);
  cookie[0] = 3;
  cookie.writeUInt32LE(78, 4);
  assert.equal(answeredIndex(cookie), 78);
  assert.equal(answeredIndex(response.subarray(1)), undefined);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => void answeredIndex(bytes)));
});
