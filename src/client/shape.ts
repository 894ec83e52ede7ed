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

/** An object with these fields, and perhaps others. Made once and asked for each row of a list: what it looks at is not listed anew each time. */
export function record<T>(fields: Readonly<Record<string, (field: unknown) => boolean>>): Check<T> {
  const names = Object.keys(fields);
  const checks = Object.values(fields);
  return (value): value is T => {
    if (typeof value !== "object" || value === null) return false;
    for (let index = 0; index < names.length; index += 1) {
      const field = (value as Readonly<Record<string, unknown>>)[names[index] as string];
      if (checks[index]?.(field) !== true) return false;
    }
    return true;
  };
}

export const listOf =
  (check: (item: unknown) => boolean) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.every(check);

/** A node by id and name. */
export const isNodeRef = record({ id: isNumber, name: isText });
