/** What the doctor found: the document of `GET /v1/doctor` and of `hansa doctor -o json`. */
import * as z from "zod";

export const findingSchema = z.object({
  code: z.string().describe("a code of docs/reference/doctor.md; codes never change meaning"),
  severity: z
    .enum(["error", "warning"])
    .describe("error: something does not work; warning: it works, but not for long or not well"),
  evidence: z.string().describe("what was measured, in one sentence"),
  mend: z.string().describe("a command, or one step in words"),
});

export const doctorSchema = z.object({
  node: z
    .object({ id: z.number().int().positive(), name: z.string() })
    .nullable()
    .describe("null when no node runs on the host"),
  facts: z
    .array(z.object({ name: z.string(), value: z.string() }))
    .describe("worth knowing though nothing is wrong with it; for people"),
  checks: z
    .array(z.object({ name: z.string(), skipped: z.string().nullable() }))
    .describe("what was looked at, or why it was not"),
  findings: z.array(findingSchema).describe("errors first; empty when all is well"),
});

export type DoctorReport = z.infer<typeof doctorSchema>;
