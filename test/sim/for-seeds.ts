/** Runs a simulation for several seeds and names the one that failed. */

const SEEDS = [1, 2, 3, 4, 5];

/** Throws an error that names the seed when `body` throws. */
export function forSeeds(body: (seed: number) => void, seeds: readonly number[] = SEEDS): void {
  for (const seed of seeds) {
    try {
      body(seed);
    } catch (error) {
      throw new Error(`failed with seed ${seed}`, { cause: error });
    }
  }
}
