/** The quorum as one node sees it: who is there, whose votes count, and whether the configuration may be changed. */
import * as z from "zod";

const count = z.number().int();

export const quorumSchema = z.object({
  name: z.string().describe("of the cluster"),
  configVersion: count
    .nullable()
    .describe("one more with each node that joined or was removed; null where nobody can say"),
  transport: z
    .enum(["wireguard", "vxlan"])
    .describe("what the tunnels between the nodes are, in which the votes speak with each other"),
  secureAuth: z
    .boolean()
    .describe("gossip and votes are encrypted and authenticated; always so, as things are"),
  provider: z.string().describe("the program that counts the votes"),
  date: z.string().describe("of the node that answers, ISO 8601"),
  nodes: count.describe("that the answering node hears, itself among them"),
  nodeId: count.describe("of the node that answers"),
  ringId: z
    .object({
      node: count.describe("the node that leads, or the lowest that is there"),
      sequence: count.describe("grows with each election and each node that joined or was removed"),
    })
    .nullable(),
  quorate: z.boolean(),
  expectedVotes: count,
  highestExpected: count,
  totalVotes: count.describe("of those that answer"),
  quorum: count.describe("so many votes are needed"),
  flags: z.array(z.string()),
  witness: z
    .object({
      votes: count.describe("1, or 0 while it has no vote"),
      isAlive: z.boolean().describe("the node that answers hears it"),
    })
    .nullable()
    .describe("a vote that is no node's"),
  members: z
    .array(
      z.object({
        id: count,
        name: z.string(),
        address: z.string().nullable().describe("its first link"),
        votes: count.describe("1, or 0 for a node without a vote"),
        isLocal: z.boolean(),
      }),
    )
    .describe("the nodes that are heard, by id"),
});

export type QuorumView = z.infer<typeof quorumSchema>;
