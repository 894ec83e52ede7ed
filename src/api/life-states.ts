/** What a container does, in words of ours. Apart from the schemas, for those who cannot wait for zod. */

/** stopped: ended with 0, or as who is told to end does; failed: ended otherwise, or could not be started. */
export const LIFE_STATES = [
  "created",
  "starting",
  "running",
  "unhealthy",
  "paused",
  "restarting",
  "removing",
  "stopped",
  "failed",
] as const;

export type LifeState = (typeof LIFE_STATES)[number];
