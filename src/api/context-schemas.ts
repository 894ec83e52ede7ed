/** Requests and answers about certificates for people and programs outside of the cluster. */
import { z } from "zod";

export const issueRequestSchema = z.strictObject({
  name: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$/,
      "the name of a holder has letters, digits and . _ @ -",
    )
    .describe("who will hold the certificate; written into the audit log with each change"),
  role: z.enum(["viewer", "operator", "admin"]),
  days: z.number().int().min(1).max(3_650).default(365).describe("how long it is good"),
});

export const issuedSchema = z.object({
  ca: z.string().describe("the cluster's authority, PEM"),
  certificate: z.string().describe("PEM"),
  privateKey: z.string().describe("PEM; nobody else has it, and the node keeps no copy"),
  api: z.array(z.string()).describe("HOST:PORT of the nodes in reach, this one first"),
});

export type IssueRequest = z.infer<typeof issueRequestSchema>;
export type Issued = z.infer<typeof issuedSchema>;
