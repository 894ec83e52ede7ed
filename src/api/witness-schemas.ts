/** The witness over the API: its setup and its removal. */
import * as z from "zod";

const hostSchema = z.string().min(1).max(253).describe("name or address of the box");
const portSchema = z.number().int().min(1).max(65_535);

export const setupWitnessSchema = z.strictObject({
  host: hostSchema,
  port: portSchema,
  code: z.string().max(64).describe("as the box shows it"),
  force: z.boolean().describe("also where the votes are odd; its own then waits"),
});

export const removeWitnessSchema = z.strictObject({
  force: z.boolean().describe("also where no majority of the other votes answers"),
});

export const removedWitnessSchema = z.object({
  host: z.string(),
  wasTold: z.boolean().describe("false: the box was not reached and keeps what it has"),
});

export const witnessReachSchema = z.strictObject({
  host: hostSchema,
  port: portSchema,
  key: z.string().regex(/^sha256:[0-9a-f]{64}$/),
});

export const witnessReachedSchema = z.object({ problem: z.string().nullable() });

/** As it is shown with the store. */
export const witnessSchema = z.object({
  host: z.string(),
  port: portSchema,
  isHeard: z.boolean().describe("by the node that answers"),
  hasVote: z.boolean().describe("false also while the votes of the nodes are odd"),
});

export type SetupWitness = z.infer<typeof setupWitnessSchema>;
export type RemoveWitness = z.infer<typeof removeWitnessSchema>;
export type RemovedWitness = z.infer<typeof removedWitnessSchema>;
export type WitnessReach = z.infer<typeof witnessReachSchema>;
export type WitnessReached = z.infer<typeof witnessReachedSchema>;
