/**
 * Sees to it that the host's supervisor lives: the daemon and the plugin both do, so that of supervisor, daemon and plugin any one left is enough to
 * bring all back.
 */
import { ensureSupervisor } from "./supervisor.ts";

/** How often it is looked at: two small reads when all is well. */
const LOOK_MS = 2_000;

/** Looks until the returned function is called; keeps no process alive. `failed` is told why a supervisor could not be started. */
export function keepSupervised(failed: (error: unknown) => void): () => void {
  const timer = setInterval(() => void ensureSupervisor().catch(failed), LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
