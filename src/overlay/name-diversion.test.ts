import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LONGEST_DIVERTED, planNameDiversion } from "./name-diversion.ts";

const chains = planNameDiversion({
  bridge: "hansa0",
  subnet: "10.32.0.0/12",
  address: "10.32.0.1",
});

/** Does what the kernel does with the rules: compares seven bytes behind a mask, counted from UDP's header. */
function isDiverted(payload: Uint8Array): boolean {
  const udp = Buffer.concat([Buffer.alloc(8), payload]);
  const [, rules = []] = chains.find(([name]) => name === "names-find") ?? [];
  return rules.some((rule) => {
    const match = /^@th,(\d+),56 & (0x[0-9a-f]+) == (0x[0-9a-f]+) goto names-ours$/.exec(rule);
    assert.ok(match, rule);
    const [, bits = "", mask = "", value = ""] = match;
    const at = Number(bits) / 8;
    if (at + 7 > udp.length) return false;
    const bytes = BigInt(`0x${udp.subarray(at, at + 7).toString("hex")}`);
    return (bytes & BigInt(mask)) === BigInt(value);
  });
}

function query(name: string, more = ""): Uint8Array {
  const labels = name.split(".").map((label) => String.fromCharCode(label.length) + label);
  const header = "\0\u0007\u0001\0\0\u0001\0\0\0\0\0\0";
  return Buffer.from(`${header}${labels.join("")}\0\0\u0001\0\u0001${more}`, "latin1");
}

const label = fc.stringMatching(/^[a-z0-9_-]{1,63}$/);
const local = fc
  .array(label, { minLength: 1, maxLength: 5 })
  .map((labels) => labels.join("."))
  .filter((name) => name.length <= LONGEST_DIVERTED);

test("every name of up to 100 characters below the zone is found, in any case of letters, with options behind it", () => {
  assert.ok(isDiverted(query("a.hansa")));
  assert.ok(isDiverted(query(`${"a".repeat(50)}.${"b".repeat(49)}.HANSA`)));
  fc.assert(
    fc.property(local, fc.boolean(), fc.string({ maxLength: 20 }), (name, isLoud, more) => {
      assert.ok(isDiverted(query(`${name}.${isLoud ? "HaNSA" : "hansa"}`, more)));
    }),
  );
});

test("containers are asked after on our bridge and on all that Docker names itself, the default one too", () => {
  const [, rules = []] = chains.find(([name]) => name === "names-containers") ?? [];
  const bridges = rules.flatMap((rule) => /^iifname "(.+?)" /.exec(rule)?.[1] ?? []);
  assert.deepEqual(bridges, ["hansa0", "br-*", "docker*"]);
});

test("no other name is: all of them go where they were going, whether we live or not", () => {
  for (const name of ["example.com", "hansa.com", "web.hansa.example", "hansa", "web.hansar"]) {
    assert.ok(!isDiverted(query(name)), name);
  }
  fc.assert(
    fc.property(local, (name) => {
      assert.ok(!isDiverted(query(name)) || name.endsWith(".hansa"));
      assert.ok(!isDiverted(query(`${name}.org`)));
    }),
  );
});
