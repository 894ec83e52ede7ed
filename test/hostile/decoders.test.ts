/** Whatever bytes come, no decoder throws, hangs, changes its input or gives more than its bound. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { isHansaError } from "../../src/errors.ts";
import { DECODERS, type Decoder, VALUE_DECODERS, type ValueDecoder } from "./decoders.ts";
import { garbage, mutated, mutatedValue, spliced } from "./mutations.ts";

const SRC = join(import.meta.dirname, "../../src");
const RUNS = 1_500;

test("every exported decoder of src stands in the list", () => {
  const listed = new Set([...DECODERS, ...VALUE_DECODERS].map(({ name }) => name));
  const found = globSync("**/*.ts", { cwd: SRC })
    .filter((file) => !file.endsWith(".test.ts"))
    .flatMap((file) => {
      const text = readFileSync(join(SRC, file), "utf8");
      const names = text.matchAll(
        /^export (?:async )?(?:function\*? |const )(deco(?:de|mpress)\w*)/gm,
      );
      return [...names].map(([, name]) => `${file} ${name}`);
    });
  assert.ok(found.length > 20);
  assert.deepEqual(
    found.filter((name) => !listed.has(name)),
    [],
  );
  for (const name of listed) {
    const [file = "", symbol = ""] = name.split(" ");
    assert.match(
      readFileSync(join(SRC, file), "utf8"),
      new RegExp(`export .*\\b${symbol}\\b`),
      name,
    );
  }
});

for (const decoder of DECODERS) {
  test(`${decoder.name} takes any bytes`, () => {
    assert.ok(decoder.seeds.length > 0);
    for (const seed of decoder.seeds) {
      assert.ok(!isRefusal(decoder.decode(seed)), `refuses ${Buffer.from(seed).toString("hex")}`);
    }
    const hostile = fc.oneof(
      { arbitrary: mutated(decoder.seeds), weight: 6 },
      spliced(decoder.seeds),
      garbage,
    );
    fc.assert(
      fc.property(hostile, (bytes) => take(decoder, bytes)),
      { numRuns: RUNS },
    );
    for (const seed of decoder.seeds.slice(0, 10)) {
      const step = Math.ceil(seed.length / 300);
      for (let cut = 0; cut < seed.length; cut += step) {
        take(decoder, Buffer.from(seed.subarray(0, cut)));
      }
    }
  });
}

for (const decoder of VALUE_DECODERS) {
  test(`${decoder.name} takes any value`, () => {
    for (const seed of decoder.seeds) assert.ok(!isRefusal(decoder.decode(seed)));
    const hostile = fc.oneof(mutatedValue(decoder.seeds), fc.jsonValue());
    fc.assert(
      fc.property(hostile, (value) => takeValue(decoder, value)),
      { numRuns: RUNS },
    );
  });
}

function take({ decode, growth = { each: 64, besides: 4096 } }: Decoder, bytes: Buffer): void {
  const before = Buffer.from(bytes);
  const cpu = process.cpuUsage();
  const result = decode(bytes);
  assert.ok(process.cpuUsage(cpu).user < 1e6, "it took a second of CPU");
  assert.ok(bytes.equals(before), "it changed its input");
  const weight = weightOf(result);
  const bound = growth.each * bytes.length + growth.besides;
  assert.ok(weight <= bound, `${bytes.length} bytes became ${weight}`);
}

function takeValue({ decode, throws, wantsObject }: ValueDecoder, value: unknown): void {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (wantsObject && !isObject) return;
  try {
    decode(value);
  } catch (error) {
    assert.ok(throws !== undefined && isHansaError(error, throws), String(error));
  }
}

function isRefusal(result: unknown): boolean {
  if (result === undefined || result === "refused") return true;
  if (typeof result !== "object" || result === null) return false;
  return ("ok" in result && result.ok === false) || ("kind" in result && result.kind === "refused");
}

/** About the bytes that a value takes. */
function weightOf(value: unknown): number {
  if (typeof value === "string") return 16 + 2 * value.length;
  // A view of the input costs its header only; a copy is never longer than the input, unless it was decompressed.
  if (value instanceof Uint8Array) return 64 + value.length;
  if (typeof value !== "object" || value === null) return 8;
  let sum = 16;
  for (const part of Array.isArray(value) ? value : Object.values(value)) sum += weightOf(part);
  return sum;
}
