/** What clients send, and the small answers. Requests are strict: an unknown field is an error, not ignored. */
import * as z from "zod";
import { parseTarget } from "../values/endpoint.ts";

/** At most this many targets in one request. */
const MAX_TARGETS = 1024;

export const targetSchema = z
  .string()
  .max(300)
  .refine((text) => parseTarget(text) !== undefined, {
    error: (issue) => `bad host syntax: ${JSON.stringify(issue.input)}`,
  })
  .describe("host name or address, with an optional port: host1, 192.0.2.1:6783, [2001:db8::1]");

export const connectRequestSchema = z
  .strictObject({
    targets: z.array(targetSchema).max(MAX_TARGETS),
    replace: z.boolean().default(false).describe("make these the only targets"),
  })
  .refine(({ targets, replace }) => replace || targets.length > 0, {
    error: "targets must not be empty unless replace is true",
  });

export const forgetRequestSchema = z.strictObject({
  targets: z.array(z.string().min(1).max(300)).min(1).max(MAX_TARGETS),
});

export const targetsSchema = z.object({ targets: z.array(z.string()) });
export const primeSchema = z.object({ id: z.number().int().positive() });
export const versionSchema = z.object({ version: z.string(), revision: z.string() });

export const healthSchema = z.object({
  status: z.enum(["ok", "warnings"]),
  warnings: z.array(z.string()).describe("codes"),
});

export const errorSchema = z.object({
  error: z.object({
    code: z.string().describe("a code of docs/reference/errors.md; codes never change meaning"),
    message: z.string(),
    hint: z.string(),
  }),
});
