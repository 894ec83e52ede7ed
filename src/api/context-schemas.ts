/** Requests and answers about certificates for people and programs outside of the cluster. */
import * as z from "zod";

const holderSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$/,
    "the name of a holder has letters, digits and . _ @ -",
  );

export const issueRequestSchema = z.strictObject({
  name: holderSchema.describe(
    "who will hold the certificate; written into the audit log with each change",
  ),
  role: z.enum(["viewer", "operator", "admin"]),
  days: z.number().int().min(1).max(3_650).default(365).describe("how long it is good"),
});

export const issuedSchema = z.object({
  ca: z.string().describe("the cluster's authority, PEM"),
  certificate: z.string().describe("PEM"),
  privateKey: z.string().describe("PEM; nobody else has it, and the node keeps no copy"),
  api: z.array(z.string()).describe("HOST:PORT of the nodes in reach, this one first"),
});

const serialSchema = z
  .string()
  .regex(/^([0-9a-f]{2}){1,20}$/, "a serial number is 2 to 40 lower-case hex digits");

export const revokeRequestSchema = z
  .strictObject({
    name: holderSchema.optional().describe("all certificates of this holder made until now"),
    serial: serialSchema.optional().describe("this certificate, whether it is known or not"),
  })
  .refine(({ name, serial }) => (name === undefined) !== (serial === undefined), {
    error: "either name or serial must be given",
  });

export const knownCertificateSchema = z.object({
  serial: z.string().describe("lower-case hex, as in the audit log"),
  name: z.string().nullable().describe("the holder; null where no node remembers it"),
  role: z.enum(["viewer", "operator", "admin"]).nullable(),
  madeAt: z.iso.datetime().nullable(),
  madeBy: z.string().nullable().describe("who asked for it: a holder, or local"),
  node: z.number().int().positive().nullable().describe("the id of the node that made it"),
  expiresAt: z.iso.datetime(),
  revoked: z
    .object({ at: z.iso.datetime(), by: z.string() })
    .nullable()
    .describe("when and by whom it was called back"),
});

export const certificatesSchema = z.object({
  certificates: z.array(knownCertificateSchema),
  holdersRevoked: z
    .array(z.object({ name: z.string(), at: z.iso.datetime(), by: z.string() }))
    .describe("holders all of whose certificates were called back at some time"),
});

export const revokedSchema = z.object({
  revoked: z.array(knownCertificateSchema).describe("those of them that are known"),
  theirs: z
    .array(knownCertificateSchema)
    .describe("certificates, still good, that a holder of these had made"),
  unreached: z
    .array(z.object({ id: z.number().int().positive(), name: z.string() }))
    .describe("nodes that did not confirm; each refuses it as soon as it hears of it"),
});

export type RevokeRequest = z.infer<typeof revokeRequestSchema>;
export type KnownCertificate = z.infer<typeof knownCertificateSchema>;
export type Certificates = z.infer<typeof certificatesSchema>;
export type Revoked = z.infer<typeof revokedSchema>;
export type IssueRequest = z.infer<typeof issueRequestSchema>;
export type Issued = z.infer<typeof issuedSchema>;
