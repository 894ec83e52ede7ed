/**
 * V8's code for a chunk, made ahead.
 *
 * All of its functions are in it: one that is not is compiled from source at its first call, which costs more than to read a few that are never
 * called. V8 takes the code only under the flags that it was made with, so the executable runs with Node's own.
 */
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";

/** The code of `source`, for `cachedData` of a Script with the same source. */
export function codeCache(source: string): Buffer {
  // Only while this is compiled: what is written has the flags of the end in it.
  setFlagsFromString("--no-lazy");
  const script = new Script(source);
  setFlagsFromString("--lazy");
  return script.createCachedData();
}
