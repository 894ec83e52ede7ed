/**
 * How slow the machine was at worst while something ran. One that stands still for seconds starves every program on it: that a node was
 * suspected then proves nothing of ours.
 */
import { fairNow, slowness } from "../fair-time.ts";

/** From here on a suspicion may be the machine's. */
const STARVING = 2;

/** Whether the machine starved its programs at any moment of `job`, and how slow it was at worst (1: at rest). */
export async function whileMeasured(
  job: () => Promise<void>,
): Promise<{ readonly worst: number; readonly starved: boolean }> {
  fairNow();
  let worst = slowness();
  const looking = setInterval(() => {
    worst = Math.max(worst, slowness());
  }, 100);
  try {
    await job();
  } finally {
    clearInterval(looking);
  }
  return { worst, starved: worst > STARVING };
}
