/**
 * Which unit test files may run in one process one after the other: a process of its own costs a file more than its tests do, and every
 * module is loaded anew.
 *
 * Invariant: nothing that shares a process changes it. A file stays alone when it opens or starts something, uses timers, looks at the
 * process, replaces modules or methods, or has hooks for all of its file, which would be hooks of all.
 */

/** Of Node's modules those that leave the process as it is. */
const HARMLESS = new Set([
  "assert/strict",
  "buffer",
  "crypto",
  "fs",
  "path",
  "test",
  "url",
  "util",
]);

const ALONE = [
  /^(before|after|beforeEach|afterEach)\(/m,
  /\bprocess\.|\bglobalThis\b|\bmock\b/,
  /\bset(Timeout|Interval|Immediate)\b/,
];

/** `file` is its path from the repository's root, `source` its text. Only files beside the code do: others take long. */
export function sharesProcess(file: string, source: string): boolean {
  if (!file.startsWith("src/")) return false;
  const modules = [...source.matchAll(/from "node:([^"]+)"/g)].map(([, name = ""]) => name);
  return modules.every((name) => HARMLESS.has(name)) && !ALONE.some((words) => words.test(source));
}

/** `files` in groups of at most `most`, in their order, which keeps those of a folder together. */
export function groupsOf(files: readonly string[], most: number): readonly (readonly string[])[] {
  const count = Math.ceil(files.length / most);
  const size = Math.ceil(files.length / Math.max(1, count));
  return Array.from({ length: count }, (_, at) => files.slice(at * size, (at + 1) * size));
}
