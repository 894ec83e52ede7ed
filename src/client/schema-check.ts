/** Checks answers by the API's own schemas. Loads zod: import this module only when an answer needs it. */
import type * as z from "zod";
import { type Inspection, inspectionSchema } from "../api/inspection-schema.ts";
import { type Status, statusSchema } from "../api/status-schema.ts";
import { HansaError } from "../errors.ts";

/** The status, or API_ANSWER_INVALID naming the first field that is wrong. */
export function checkStatus(answer: unknown): Status {
  return check(statusSchema, answer, "status");
}

export function checkInspection(answer: unknown): Inspection {
  return check(inspectionSchema, answer, "inspect");
}

function check<T>(schema: z.ZodType<T>, answer: unknown, what: string): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join(".") ?? "";
  throw new HansaError(
    "API_ANSWER_INVALID",
    `the daemon's answer to ${what} is malformed at ${field === "" ? "its top" : field}`,
    { cause: parsed.error },
  );
}
