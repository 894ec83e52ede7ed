/** What an attacker makes of good bytes, as fast-check arbitraries: shrinkable, so that a failure shows the smallest change. */
import fc from "fast-check";

type Mutation = (bytes: Buffer) => Buffer;

/** Numbers that counts and lengths break on. */
const EXTREMES = [0x00, 0x01, 0x7f, 0x80, 0x8f, 0x9f, 0xbf, 0xc0, 0xdb, 0xdd, 0xdf, 0xfe, 0xff];

const flip = fc.tuple(fc.nat(), fc.nat(7)).map(([at, bit]): Mutation => {
  return (bytes) => overwrite(bytes, at, [(bytes[at % bytes.length] ?? 0) ^ (1 << bit)]);
});

const extreme = fc.tuple(fc.nat(), fc.constantFrom(...EXTREMES), fc.constantFrom(1, 2, 4, 8)).map(
  ([at, value, width]): Mutation =>
    (bytes) =>
      overwrite(bytes, at, Array(width).fill(value)),
);

const noise = fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 12 })).map(
  ([at, value]): Mutation =>
    (bytes) =>
      overwrite(bytes, at, value),
);

const cut = fc.nat().map(
  (at): Mutation =>
    (bytes) =>
      bytes.subarray(0, at % bytes.length),
);

const remove = fc.tuple(fc.nat(), fc.nat(16)).map(([at, size]): Mutation => {
  return (bytes) => {
    const start = at % bytes.length;
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + size)]);
  };
});

const insert = fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 24 })).map(
  ([at, what]): Mutation =>
    (bytes) => {
      const start = at % bytes.length;
      return Buffer.concat([bytes.subarray(0, start), what, bytes.subarray(start)]);
    },
);

/** A piece of it again, many times: nested and repeated structures. */
const repeat = fc
  .tuple(fc.nat(), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 200 }))
  .map(
    ([at, size, times]): Mutation =>
      (bytes) => {
        const start = at % bytes.length;
        const piece = bytes.subarray(start, start + size);
        const copies = Array<Buffer>(times).fill(piece);
        return Buffer.concat([bytes.subarray(0, start), ...copies, bytes.subarray(start)]);
      },
  );

const mutation = fc.oneof(
  { arbitrary: flip, weight: 3 },
  { arbitrary: extreme, weight: 4 },
  noise,
  cut,
  remove,
  insert,
  repeat,
);

/** One to four changes of one of `seeds`. */
export function mutated(seeds: readonly Uint8Array[]): fc.Arbitrary<Buffer> {
  return fc
    .tuple(fc.constantFrom(...seeds), fc.array(mutation, { minLength: 1, maxLength: 4 }))
    .map(([seed, mutations]) => {
      let bytes = Buffer.from(seed);
      for (const mutate of mutations) if (bytes.length > 0) bytes = Buffer.from(mutate(bytes));
      return bytes;
    });
}

/** The beginning of one of `seeds` and the end of another. */
export function spliced(seeds: readonly Uint8Array[]): fc.Arbitrary<Buffer> {
  const seed = fc.constantFrom(...seeds);
  return fc.tuple(seed, seed, fc.nat(), fc.nat()).map(([a, b, end, start]) => {
    return Buffer.concat([a.subarray(0, end % (a.length + 1)), b.subarray(start % (b.length + 1))]);
  });
}

/** Bytes of no meaning, or of little: each possible first byte, runs of one byte. */
export const garbage: fc.Arbitrary<Buffer> = fc
  .oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.tuple(fc.nat(255), fc.nat(2_000)).map(([byte, size]) => Buffer.alloc(size, byte)),
    fc
      .tuple(fc.nat(255), fc.nat(255), fc.nat(2_000))
      .map(([first, byte, size]) => Buffer.concat([Buffer.of(first), Buffer.alloc(size, byte)])),
  )
  .map((bytes) => Buffer.from(bytes));

function overwrite(bytes: Buffer, at: number, values: ArrayLike<number>): Buffer {
  const copy = Buffer.from(bytes);
  for (let index = 0; index < values.length; index++) {
    const where = (at % bytes.length) + index;
    if (where < copy.length) copy[where] = values[index] ?? 0;
  }
  return copy;
}

/** One of `seeds`, JSON values, with one part of it taken out or put in the place of another. */
export function mutatedValue(seeds: readonly unknown[]): fc.Arbitrary<unknown> {
  const replacement = fc.oneof(
    fc.constantFrom<unknown>(
      null,
      -1,
      0.5,
      2 ** 32,
      2 ** 53,
      1e308,
      "",
      "x",
      [],
      {},
      true,
      undefined,
    ),
    fc.jsonValue(),
  );
  return fc
    .tuple(fc.constantFrom(...seeds), fc.array(fc.nat(), { maxLength: 4 }), replacement)
    .map(([seed, path, part]) => replaced(seed, path, part));
}

function replaced(value: unknown, path: readonly number[], part: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined || typeof value !== "object" || value === null) return part;
  const keys = Object.keys(value);
  const key = keys[step % Math.max(1, keys.length)];
  if (key === undefined) return part;
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value)
    ? [...value]
    : { ...value };
  Reflect.set(copy, key, replaced(Reflect.get(copy, key), rest, part));
  return copy;
}
