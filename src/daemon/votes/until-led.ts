/** Waits for an etcd that was just started. */
import { setTimeout } from "node:timers/promises";
import { HansaError, isHansaError } from "../../errors.ts";
import type { Store } from "../../store/store.ts";

/** A store of one leads itself within an election. */
const BEGIN_MS = 20_000;
const LOOK_MS = 60;

/** Resolves when it knows of a leader. Throws STORE_UNREACHABLE after 20 s, what else the store says, and what `refuse` does, which is asked before each look. */
export async function untilLed(
  store: Pick<Store, "status">,
  refuse = (): void => undefined,
): Promise<void> {
  const endMs = performance.now() + BEGIN_MS;
  for (;;) {
    refuse();
    const isPast = performance.now() > endMs;
    try {
      if ((await store.status()).leader !== undefined) return;
    } catch (error) {
      if (!isHansaError(error, "STORE_UNREACHABLE") || isPast) throw error;
    }
    if (isPast) throw new HansaError("STORE_UNREACHABLE", "the store does not lead");
    await setTimeout(LOOK_MS);
  }
}
