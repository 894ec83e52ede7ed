/** Requests and answers about who owns which addresses: leaving, taking over, checking. Fields are never left out: unknown is null. */
import * as z from "zod";

const id = z.number().int().positive();
const count = z.number().int().min(0);

export const leaveRequestSchema = z
  .strictObject({
    force: z
      .boolean()
      .default(false)
      .describe("also where the store cannot do without this node's vote"),
  })
  .default({ force: false });

export const leftSchema = z.object({
  id,
  heir: z.object({ id, name: z.string() }).nullable().describe("who has this node's addresses now"),
  handedOver: count.describe("dynamic addresses"),
  lost: count.describe("dynamic addresses that nobody can give until a take-over"),
  problem: z.string().nullable(),
  hadPeers: z.boolean().describe("whether this node ever met another"),
});

export const takeOverRequestSchema = z.strictObject({
  node: z.string().min(1).max(253).describe("id or name of the node that vanished"),
  confirmed: z
    .boolean()
    .default(false)
    .describe("the node is off for good: should it still run, its addresses are given out twice"),
});

export const takenOverSchema = z.object({
  id,
  name: z.string().nullable().describe("null when the node was never met"),
  addresses: count.describe("dynamic addresses that are this node's now"),
  fixedAddresses: count,
});

export const LEASE_STATES = ["held", "unclaimed", "leak", "elsewhere"] as const;

export const leaseSchema = z.object({
  address: z.string(),
  state: z
    .enum(LEASE_STATES)
    .describe(
      "unclaimed: no container has it, perhaps not yet; leak: the same for more than a minute; elsewhere: by the ring it is another node's",
    ),
  reason: z
    .enum(["gateway", "fixed", "dynamic"])
    .describe("the bridge's own, asked for with --ip, or given"),
  container: z.object({ id: z.string(), name: z.string() }).nullable(),
  since: z.iso.datetime().nullable(),
  ageSeconds: z.number().int().min(0).nullable(),
  ringOwner: id.nullable().describe("whose it is by the ring"),
});

export const addressCheckSchema = z.object({
  node: z.object({ id, name: z.string() }),
  leases: z.array(leaseSchema).describe("of this node, by address"),
  freed: z.array(z.string()).describe("leaks that were freed just now"),
  holes: z
    .array(z.object({ first: z.string(), last: z.string(), addresses: count }))
    .describe("ranges whose owner this node does not know"),
  unreachable: z
    .array(z.object({ id, name: z.string().nullable(), addresses: count, fixedAddresses: count }))
    .describe("owners that are not heard now"),
  conflicts: count.describe("records that contradicted this node's since its start"),
});

export type Left = z.infer<typeof leftSchema>;
export type TakenOver = z.infer<typeof takenOverSchema>;
export type Lease = z.infer<typeof leaseSchema>;
export type AddressCheck = z.infer<typeof addressCheckSchema>;
