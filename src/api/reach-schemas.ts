/** What is asked for at the beginning of a stream into a container. */
import * as z from "zod";

const MAX_WORDS = 8_192;
const MAX_TEXT = 4_096;

/** Arguments and variables hold no zero bytes: the kernel ends them there. */
const word = z
  .string()
  .max(128 * 1024)
  .refine((text) => !text.includes("\0"), { error: "a word holds a zero byte" });

export const execRequestSchema = z.strictObject({
  command: z.array(word).min(1).max(MAX_WORDS).describe("program and arguments, without a shell"),
  environment: z.array(word).max(MAX_WORDS).default([]).describe("NAME=value, added"),
  user: z.string().max(MAX_TEXT).default("").describe("user or user:group; else the container's"),
  workdir: z.string().max(MAX_TEXT).default("").describe("folder to run in; else the container's"),
  tty: z.boolean().default(false).describe("with a terminal, whose output is all stdout"),
  stdin: z.boolean().default(false).describe("with an input"),
  size: z
    .strictObject({
      rows: z.number().int().min(0).max(65_535),
      columns: z.number().int().min(0).max(65_535),
    })
    .optional()
    .describe("the terminal's first size"),
});

export type ExecRequest = z.output<typeof execRequestSchema>;

const time = z
  .string()
  .regex(/^(\d{1,12}(\.\d{1,9})?)?$/, { error: "a time is seconds since 1970, with a fraction" })
  .default("");

export const logsRequestSchema = z.strictObject({
  follow: z.boolean().default(false).describe("go on as the container writes, until it ends"),
  since: time.describe("from this time on, in seconds since 1970"),
  until: time.describe("before this time"),
  tail: z.number().int().min(0).max(1e9).optional().describe("only so many of the last messages"),
});

export const dialRequestSchema = z.strictObject({
  port: z.number().int().min(1).max(65_535).describe("TCP, of the container's address"),
});

export type DialRequest = z.output<typeof dialRequestSchema>;

export const pathRequestSchema = z.strictObject({
  path: z
    .string()
    .min(1)
    .max(4_096)
    .refine((text) => text.startsWith("/") && !text.includes("\0"), {
      error: "a path in a container begins with a slash",
    }),
});

export type PathRequest = z.output<typeof pathRequestSchema>;

export const topRequestSchema = z.strictObject({
  arguments: z.string().max(200).default("").describe("those of ps; Docker's own by default"),
});

export type TopRequest = z.output<typeof topRequestSchema>;

export const usageRequestSchema = z.strictObject({
  once: z.boolean().default(false).describe("one measurement, else one a second"),
});

export type UsageRequest = z.output<typeof usageRequestSchema>;

export type LogsRequest = z.output<typeof logsRequestSchema>;
