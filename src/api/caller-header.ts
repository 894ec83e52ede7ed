/**
 * Who asked first, told by the node that passes a request on. Pure.
 *
 * Invariants: believed only of who showed a certificate with the role `node`; nobody is made a node by it; reading it never throws.
 */
import { isRole } from "../values/role.ts";
import type { Caller } from "./caller.ts";

export const CALLER_HEADER = "hansa-caller";

const MAX_CHARACTERS = 1_024;
const MAX_NAME = 128;
const MAX_PLACE = 64;
const SERIAL = /^[0-9a-f]{1,64}$/;
/** No control characters: it is written into a log. */
const TEXT = /^[^\p{Cc}\p{Cs}]+$/u;

/** The header's value. A name that is too long is cut. */
export function encodeCaller({ name, role, from, serial }: Caller): string {
  const told = {
    name: name.slice(0, MAX_NAME),
    role,
    from: from.slice(0, MAX_PLACE),
    ...(serial === undefined ? {} : { serial }),
  };
  return Buffer.from(JSON.stringify(told)).toString("base64url");
}

/** The caller in a header's value; undefined when it is not one that `encodeCaller` makes, or claims to be a node. */
export function decodeCaller(value: string): Omit<Caller, "via"> | undefined {
  if (value.length > MAX_CHARACTERS || !/^[A-Za-z0-9_-]+$/.test(value)) return undefined;
  const told = parsed(Buffer.from(value, "base64url").toString("utf8"));
  if (typeof told !== "object" || told === null) return undefined;
  const { name, role, from, serial } = told as Readonly<Record<string, unknown>>;
  if (!isText(name, MAX_NAME) || !isText(from, MAX_PLACE)) return undefined;
  if (typeof role !== "string" || !isRole(role) || role === "node") return undefined;
  if (serial !== undefined && !(typeof serial === "string" && SERIAL.test(serial))) {
    return undefined;
  }
  return { name, role, from, serial };
}

function isText(value: unknown, most: number): value is string {
  return typeof value === "string" && value.length <= most && TEXT.test(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
