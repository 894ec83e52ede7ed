/** What Node's modules export, asked of the Node that builds, which is the one that goes into the executable. */
import { builtinModules, createRequire } from "node:module";
import type { BuiltinNames } from "./lazy-builtins.ts";

/**
 * Of all modules that can be loaded late, as "fs" and as "node:fs". A module that is itself a function cannot (events, stream, assert), and what
 * is deprecated or warns is left to itself.
 */
export function builtinNames(): BuiltinNames {
  const require = createRequire(import.meta.url);
  const names: Record<string, readonly string[]> = {};
  for (const name of builtinModules.filter((name) => LATE.has(name))) {
    const found: unknown = require(name);
    if (typeof found !== "object" || found === null) throw new Error(`${name} is no object`);
    names[name] = Object.keys(found);
    names[`node:${name}`] = Object.keys(found);
  }
  return names;
}

/** Those that cost something and that Node has not loaded anyhow at its start. */
const LATE = new Set([
  "async_hooks",
  "child_process",
  "crypto",
  "dgram",
  "dns",
  "dns/promises",
  "fs/promises",
  "http",
  "http2",
  "https",
  "net",
  "os",
  "perf_hooks",
  "readline",
  "readline/promises",
  "tls",
  "tty",
  "v8",
  "worker_threads",
  "zlib",
]);
