/**
 * Decompression of Go's compress/lzw with LSB bit order and 8-bit literals, which memberlist uses for message type 9.
 *
 * Codes begin with 9 bits and grow to 12; 256 clears the table, 257 ends. When all 4096 codes are taken the table stays as it is
 * until a clear. Invariant: never more than `limit` bytes come out, whatever goes in. We never compress: our packets are small.
 */
const CLEAR = 256;
const END = 257;
const MAX_WIDTH = 12;
const NO_CODE = -1;

/** What `input` expands to; undefined when it is broken, cut off or larger than `limit` bytes. */
export function decompressLzw(input: Uint8Array, limit: number): Uint8Array | undefined {
  const prefix = new Uint16Array(1 << MAX_WIDTH);
  const suffix = new Uint8Array(1 << MAX_WIDTH);
  const stack = new Uint8Array(1 << MAX_WIDTH);
  let output = Buffer.allocUnsafe(Math.min(limit, Math.max(256, input.length * 4)));
  let length = 0;
  let width = 9;
  let last = NO_CODE;
  /** The code that the next step defines; codes below it are known. */
  let next = END;
  let full = false;
  let bits = 0;
  let bitCount = 0;
  let offset = 0;

  for (;;) {
    while (bitCount < width) {
      const byte = input[offset++];
      if (byte === undefined) return undefined;
      bits |= byte << bitCount;
      bitCount += 8;
    }
    const code = bits & ((1 << width) - 1);
    bits >>>= width;
    bitCount -= width;

    if (code === END) return output.subarray(0, length);
    if (code === CLEAR) {
      width = 9;
      next = END;
      last = NO_CODE;
      full = false;
      continue;
    }
    const isNew = code === next && !full;
    if (code > next || (isNew && last === NO_CODE)) return undefined;

    // Walk the chain backwards onto the stack; a code not known yet is its predecessor plus that one's first byte.
    let top = stack.length;
    let walk = code;
    if (isNew) {
      top -= 1;
      walk = last;
    }
    while (walk > CLEAR) {
      stack[--top] = suffix[walk] ?? 0;
      walk = prefix[walk] ?? 0;
    }
    stack[--top] = walk;
    if (isNew) stack[stack.length - 1] = walk;

    const size = stack.length - top;
    if (length + size > limit) return undefined;
    if (length + size > output.length) {
      const larger = Buffer.allocUnsafe(Math.min(limit, (length + size) * 2));
      output.copy(larger, 0, 0, length);
      output = larger;
    }
    output.set(stack.subarray(top), length);
    length += size;

    if (full) continue;
    if (last !== NO_CODE) {
      suffix[next] = walk;
      prefix[next] = last;
    }
    last = code;
    next += 1;
    if (next === 1 << width) {
      if (width < MAX_WIDTH) width += 1;
      else {
        full = true;
        next -= 1;
      }
    }
  }
}
