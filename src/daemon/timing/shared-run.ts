/** Work that costs much and that many may ask for at once: done once for all who ask while it is done. */

/**
 * `job` so that at most one of it runs: who asks meanwhile gets the outcome of that one, good or bad.
 *
 * What it tells is as of the beginning of the run, which may be a little before the question.
 */
export function sharedRun<T>(job: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= job().finally(() => {
      running = undefined;
    });
    return running;
  };
}
