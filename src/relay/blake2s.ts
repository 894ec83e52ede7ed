/**
 * Keyed BLAKE2s (RFC 7693) with a digest of 16 bytes: the MAC that WireGuard asks of each handshake message.
 *
 * Node's OpenSSL has BLAKE2s only without a key and with 32 bytes, which is another function.
 */
const IV = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
] as const;
const ORDERS = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
] as const;
/** The four words that each half of a round mixes: first the columns, then the diagonals. */
const MIXES = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
] as const;
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 16;

/** 16 bytes over `message` under a key of 1 to 32 bytes. */
export function blake2sMac(key: Uint8Array, message: Uint8Array): Uint8Array {
  if (key.length < 1 || key.length > 32) throw new RangeError(`a key of ${key.length} bytes`);
  const input = new Uint8Array(BLOCK_BYTES * (1 + Math.ceil(message.length / BLOCK_BYTES)));
  input.set(key);
  input.set(message, BLOCK_BYTES);
  const view = new DataView(input.buffer);
  const state = Uint32Array.from(IV);
  state[0] = (state[0] ?? 0) ^ (0x01010000 | (key.length << 8) | DIGEST_BYTES);
  const total = BLOCK_BYTES + message.length;
  for (let at = 0; at < input.length; at += BLOCK_BYTES) {
    const done = Math.min(at + BLOCK_BYTES, total);
    compress(state, view, at, done, at + BLOCK_BYTES >= input.length);
  }
  return new Uint8Array(state.buffer).slice(0, DIGEST_BYTES);
}

function compress(state: Uint32Array, view: DataView, at: number, done: number, isLast: boolean) {
  const words = new Uint32Array(16);
  words.set(state);
  words.set(IV, 8);
  words[12] = (words[12] ?? 0) ^ done;
  if (isLast) words[14] = ~(words[14] ?? 0);
  for (const order of ORDERS) {
    for (const [index, [a, b, c, d]] of MIXES.entries()) {
      const first = view.getUint32(at + 4 * (order[2 * index] ?? 0), true);
      const second = view.getUint32(at + 4 * (order[2 * index + 1] ?? 0), true);
      mix(words, [a, b, c, d], first, second);
    }
  }
  for (let index = 0; index < 8; index += 1) {
    state[index] = (state[index] ?? 0) ^ (words[index] ?? 0) ^ (words[index + 8] ?? 0);
  }
}

function mix(
  words: Uint32Array,
  [a, b, c, d]: readonly [number, number, number, number],
  first: number,
  second: number,
): void {
  const word = (index: number): number => words[index] ?? 0;
  words[a] = word(a) + word(b) + first;
  words[d] = rotated(word(d) ^ word(a), 16);
  words[c] = word(c) + word(d);
  words[b] = rotated(word(b) ^ word(c), 12);
  words[a] = word(a) + word(b) + second;
  words[d] = rotated(word(d) ^ word(a), 8);
  words[c] = word(c) + word(d);
  words[b] = rotated(word(b) ^ word(c), 7);
}

function rotated(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}
