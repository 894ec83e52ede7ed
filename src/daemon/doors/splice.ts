/**
 * Two connections as one: what either sends goes to the other, as fast as that takes it.
 *
 * Invariants: what one sent before its orderly end reaches the other, however slowly it reads; one that breaks off breaks the other off; both are gone a
 * while after either is.
 */
import type { Duplex } from "node:stream";

/** For who was sent the end to close as well. */
const LINGER_MS = 5_000;

/** Owns both from now on. */
export function splice(one: Duplex, other: Duplex): void {
  pass(one, other);
  pass(other, one);
}

function pass(from: Duplex, to: Duplex): void {
  // An error closes it, and that is seen below.
  from.on("error", () => from.destroy());
  from.on("close", () => {
    const linger = (): void => void setTimeout(() => to.destroy(), LINGER_MS).unref();
    if (!from.readableEnded) to.destroy();
    else if (to.writableFinished) linger();
    else to.once("finish", linger);
  });
  to.on("close", () => {
    from.unpipe(to);
    // After an orderly end what it said may still be on its way to the one that goes on speaking to nobody.
    if (to.readableEnded) from.resume();
    else from.destroy();
  });
  from.pipe(to);
}
