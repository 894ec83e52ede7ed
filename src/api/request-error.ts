/** What is wrong with a request, in one sentence. Pure. */
import type * as z from "zod";

/** The first of the schema's complaints; `what` is the thing that it is about. */
export function sentenceOf(error: z.ZodError, what: string): string {
  const [issue] = error.issues;
  if (issue === undefined) return `${what} is malformed`;
  // Our own refinements are sentences already; zod's need to be told where.
  if (issue.code === "custom") return issue.message;
  const place = issue.path.length > 0 ? ` at ${issue.path.join(".")}` : "";
  return `${what} is malformed${place}: ${issue.message.replace(/^./, (first) => first.toLowerCase())}`;
}
