/** The removal of a node from the cluster. */
import * as z from "zod";

export const removeNodeSchema = z.strictObject({
  node: z.string().min(1).max(253).describe("name, id or address"),
  confirmed: z
    .boolean()
    .default(false)
    .describe("of a node that is not heard: it is off for good, and never comes back as it was"),
});

export const nodeRemovedSchema = z.object({
  id: z.number().int(),
  name: z.string(),
  wasHeard: z.boolean().describe("it was told to leave; else its addresses were taken over"),
  addresses: z.number().int().describe("that it had, and another node has now"),
  problem: z.string().nullable().describe("what of its leaving did not work"),
});

export type NodeRemoved = z.infer<typeof nodeRemovedSchema>;
