import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { redact, spellings } from "./redact.ts";

test("no spelling of a secret remains, wherever it stands", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 16, maxLength: 48 }),
      fc.string(),
      fc.string(),
      (secret, before, after) => {
        const words = spellings(secret);
        const text = words.map((word) => `${before}${word}${after}`).join("\n");
        const left = redact(text, words);
        // What stands around it may itself hold a piece: only the secret's own places are ours.
        for (const word of words) assert.ok(!left.includes(word), word);
      },
    ),
  );
});

test("a secret that is text goes as text too", () => {
  const words = spellings(Buffer.from("my-cluster-password"));
  assert.equal(
    redact("launched with my-cluster-password by root", words),
    "launched with [redacted] by root",
  );
});

test("what looks like a secret goes, its name stays", () => {
  const cases: readonly (readonly [string, string])[] = [
    ['{"token":"abcdef12","id":1}', '{"token":"[redacted]","id":1}'],
    ["dockerd --token abcdef12 -H x", "dockerd --token [redacted] -H x"],
    ["PrivateKey = aGVsbG8gd29ybGQ=", "PrivateKey = [redacted]"],
    ["Authorization: Bearer abc.def.ghi", "Authorization: Bearer [redacted]"],
    ["HTTP Proxy: http://me:pass@proxy:3128", "HTTP Proxy: http://[redacted]@proxy:3128"],
    ["db_password: hunter22", "db_password: [redacted]"],
  ];
  for (const [text, wanted] of cases) assert.equal(redact(text, []), wanted);
});

test("private keys go whole, also one that was cut off", () => {
  const key = "-----BEGIN PRIVATE KEY-----\nMIGH\nAgEA\n-----END PRIVATE KEY-----";
  assert.equal(redact(`a\n${key}\nb`, []), "a\n[redacted]\nb");
  assert.equal(redact(`a\n${key.slice(0, 40)}`, []), "a\n[redacted]");
});

test("what is no secret stays as it is", () => {
  const text = [
    "peer: 7xNvTW6CpR+OD8Zc7dOXBYeFh0Hb6gYzqZ1y8s8oPlM=\n  endpoint: 192.168.48.12:6784",
    '{"time":"2026-11-21T16:00:00Z","level":"info","msg":"listening","port":1443}',
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "authentication failed or other cluster",
  ].join("\n");
  assert.equal(redact(text, ["00ff00ff00ff"]), text);
});
