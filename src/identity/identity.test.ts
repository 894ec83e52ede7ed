import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { isHansaError } from "../errors.ts";
import { createIdentity, type Identity, identityKeys, tokenMatches } from "./identity.ts";
import { loadIdentity, saveIdentity } from "./identity-file.ts";
import { fingerprint, isKeyText } from "./node-key.ts";
import { tokenStrength } from "./token-strength.ts";

const TOKEN = "my-cluster-password";
let one: Identity;
let two: Identity;
let dir: string;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "identity-"));
  [one, two] = await Promise.all([
    createIdentity({ token: TOKEN, cluster: "hansa" }, new Date(0)),
    createIdentity({ token: TOKEN, cluster: "hansa" }),
  ]);
});
after(() => rm(dir, { recursive: true, force: true }));

test("two nodes of one cluster share keys of the cluster and none of their own", () => {
  const [a, b] = [identityKeys(one), identityKeys(two)];
  assert.deepEqual(a.gossipKeys, b.gossipKeys);
  assert.equal(a.label, b.label);
  assert.match(a.label, /^[0-9a-f]{16}$/);
  assert.notEqual(a.fingerprint, b.fingerprint);
  assert.notEqual(a.wireguard.publicKey, b.wireguard.publicKey);
  assert.equal(a.pairKey(b.wireguard.publicKey), b.pairKey(a.wireguard.publicKey));
  assert.equal(a.memberName(7), `7-${fingerprint(one.nodeKey.publicKey)}`);
  assert.match(a.memberName(7), /^7-[0-9a-f]{8}$/);
});

test("the public halves belong to the private ones, and the WireGuard key is clamped", () => {
  const of = (crv: string, pair: Identity["nodeKey"]): string | undefined => {
    const url = (text: string): string => Buffer.from(text, "base64").toString("base64url");
    const jwk = { kty: "OKP", crv, d: url(pair.privateKey), x: url(pair.publicKey) };
    const key = createPublicKey(createPrivateKey({ key: jwk, format: "jwk" }));
    return Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url").toString("base64");
  };
  assert.equal(of("Ed25519", one.nodeKey), one.nodeKey.publicKey);
  assert.equal(of("X25519", one.wireguard), one.wireguard.publicKey);
  const scalar = Buffer.from(one.wireguard.privateKey, "base64");
  assert.equal((scalar[0] ?? 0) & 7, 0);
  assert.equal((scalar[31] ?? 0) & 192, 64);
});

test("only the same token with the same cluster name matches", async () => {
  const answers = await Promise.all([
    tokenMatches(one, TOKEN, "hansa"),
    tokenMatches(one, "my-cluster-passwore", "hansa"),
    tokenMatches(one, TOKEN, "hansb"),
  ]);
  assert.deepEqual(answers, [true, false, false]);
});

test("an identity comes back from disk as it was written, readable by its owner only, without the token", async () => {
  assert.equal(await loadIdentity(dir), undefined);
  const rekeyed = { ...one, roots: [...two.roots, ...one.roots], binding: 3 };
  await saveIdentity(dir, rekeyed);
  assert.deepEqual(await loadIdentity(dir), rekeyed);
  assert.equal((await stat(join(dir, "identity.json"))).mode & 0o777, 0o600);
  const text = await readFile(join(dir, "identity.json"), "utf8");
  assert.ok(!text.includes(TOKEN));
  assert.equal(identityKeys(rekeyed).gossipKeys.length, 2);
});

test("a damaged identity is refused without showing what it holds", async () => {
  await saveIdentity(dir, one);
  const path = join(dir, "identity.json");
  const whole = await readFile(path, "utf8");
  const secret = one.wireguard.privateKey;
  const damages: readonly string[] = [
    "",
    "null",
    "[]",
    whole.slice(0, -20),
    whole.replace('"version": 1', '"version": 9'),
    whole.replace('"binding": 0', '"binding": -1'),
    whole.replace(secret, secret.slice(1)),
    whole.replace(/"roots": \[[^\]]*\]/, '"roots": []'),
    whole.replace('"since"', '"until"'),
  ];
  for (const damage of damages) {
    assert.notEqual(damage, whole);
    await writeFile(path, damage);
    await assert.rejects(
      loadIdentity(dir),
      (error) =>
        isHansaError(error, "STATE_DAMAGED") &&
        error.message.includes(path) &&
        !error.message.includes(secret.slice(1)),
    );
  }
});

test("key text has one spelling", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      const text = Buffer.from(bytes).toString("base64");
      assert.ok(isKeyText(text));
      assert.ok(!isKeyText(text.slice(1)));
      assert.ok(!isKeyText(` ${text.slice(1)}`));
    }),
    { numRuns: 100 },
  );
});

test("weak tokens are called weak and random ones are not", () => {
  const weak = [
    "",
    "a",
    "hansa",
    "my-cluster-password",
    "aaaaaaaaaaaaaaaaaaaaaa",
    "1234567890",
    "Docker2024!",
  ];
  for (const token of weak) assert.ok(tokenStrength(token).weak, token);
  const strong = [
    "8f2c1d0e9b7a46538f2c6d1e0b9a7453",
    "correct-horse-battery-staple",
    "x7Kq!m2Zp9Wd@r",
  ];
  for (const token of strong) assert.ok(!tokenStrength(token).weak, token);
});

test("the time of a guess is told in words, and never falls as a token grows", () => {
  assert.equal(tokenStrength("").time, "less than a second");
  assert.equal(tokenStrength("hansa").time, "10 seconds");
  assert.equal(tokenStrength("kxgqtz").time, "1 year");
  assert.match(tokenStrength("8f2c1d0e9b7a46538f2c6d1e0b9a7453").time, /billion years/);
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), (token) => {
      assert.ok(tokenStrength(`${token}~#`).bits >= tokenStrength(token).bits);
      assert.match(tokenStrength(token).time, /^(\d+|more|less) [a-z ]+$/);
    }),
    { numRuns: 200 },
  );
});
