/**
 * Nonces for encryption, drawn from the host's random source many at a time: one call for each packet cost as much as encrypting it.
 *
 * Invariant: no byte of the source is given out twice.
 */
import { randomFillSync } from "node:crypto";
import { NONCE_SIZE } from "../membership/wire/security.ts";

const AT_A_TIME = 256;

export class NonceSource {
  #pool = Buffer.alloc(0);
  #offset = 0;

  /** 12 fresh random bytes; the caller owns them. */
  next(): Uint8Array {
    if (this.#offset === this.#pool.length) {
      // A new one each time: the callers keep views of the old.
      this.#pool = randomFillSync(Buffer.alloc(AT_A_TIME * NONCE_SIZE));
      this.#offset = 0;
    }
    this.#offset += NONCE_SIZE;
    return this.#pool.subarray(this.#offset - NONCE_SIZE, this.#offset);
  }
}
