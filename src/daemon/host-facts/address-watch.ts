/**
 * Whether the host's addresses may be others than at the last look: one small read, where a look at all interfaces costs a dozen calls.
 *
 * Invariant: an IPv4 address that came or went is never missed; one of IPv6, which that table lacks, is, and so is an interface that lost its cable and kept its address.
 */
import { readFileSync } from "node:fs";

/** The kernel's table of routes, in which each own address is a local one. */
const TABLE = "/proc/net/fib_trie";

export class AddressWatch {
  readonly #path: string;
  #last: string | undefined;

  constructor(path: string = TABLE) {
    this.#path = path;
  }

  /** True at the first call, at each that finds another table than the one before, and where there is none to be read. */
  haveChanged(): boolean {
    const last = this.#last;
    this.#last = this.#read();
    return this.#last === undefined || this.#last !== last;
  }

  #read(): string | undefined {
    try {
      return readFileSync(this.#path, "latin1");
    } catch {
      // A kernel without it, or no right to read it: then each look is at all interfaces.
      return undefined;
    }
  }
}
