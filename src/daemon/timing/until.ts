/** For the tests of this folder: waits for a condition, and fails with the place that waited when it takes too long. */
import { setTimeout as delay } from "node:timers/promises";

const DEADLINE_MS = 60_000;

/** Resolves when `condition` first holds; throws after a minute. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const late = new Error(`not within ${DEADLINE_MS} ms: ${condition}`);
  const end = performance.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (performance.now() > end) throw late;
    await delay(5);
  }
}
