/**
 * What shapes of decoded JSON are told by: small predicates that are put together (answer-check.ts and its kin).
 *
 * They look as deep as the tables read, without zod, whose import alone takes half of the time that `hansa status` may use.
 */

/** A function that tells whether a decoded JSON value has a certain shape. */
export type Check<T> = (value: unknown) => value is T;

export const isText = (value: unknown): value is string => typeof value === "string";
export const isNumber = (value: unknown): value is number => typeof value === "number";
export const isBoolean = (value: unknown): value is boolean => typeof value === "boolean";
export const orNull =
  (check: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    value === null || check(value);

export function has(
  value: unknown,
  fields: Readonly<Record<string, (field: unknown) => boolean>>,
): boolean {
  if (typeof value !== "object" || value === null) return false;
  const record = value as Record<string, unknown>;
  return Object.entries(fields).every(([name, check]) => check(record[name]));
}

export const listOf =
  (check: (item: unknown) => boolean) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.every(check);

/** A node by id and name. */
export const isNodeRef = (value: unknown): boolean => has(value, { id: isNumber, name: isText });
