/** What a node tells of its host for a report: the document of `GET /v1/report`. */
import * as z from "zod";

export const reportSchema = z.object({
  files: z
    .array(z.object({ path: z.string(), text: z.string() }))
    .describe("relative paths, without secrets"),
  missing: z
    .array(z.object({ path: z.string(), why: z.string() }))
    .describe("what could not be had, and why"),
});

export type HostReport = z.infer<typeof reportSchema>;
