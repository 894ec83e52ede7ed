/**
 * What the executable runs first: loads chunks of the program, with the code that was made ahead, as they are asked for.
 *
 * Bundled to CommonJS on its own. Without valid code V8 compiles the source, so the program is then slower and nothing else.
 */
import { getRawAsset } from "node:sea";
import { Script } from "node:vm";
import { type BuiltinNames, lazyBuiltins } from "./lazy-builtins.ts";

/** Filled in by the build. */
declare const BUILTIN_NAMES: BuiltinNames;
declare const FIRST_CHUNK: string;

interface Loaded {
  readonly exports: object;
}

type ChunkFunction = (
  exports: object,
  require: (id: string) => unknown,
  module: Loaded,
  filename: string,
  dirname: string,
) => void;

const builtin = lazyBuiltins(BUILTIN_NAMES, require);
const loaded = new Map<string, Loaded>();

need(`./${FIRST_CHUNK}`);

/** `require` of all chunks: of "./NAME" another chunk, else a module of Node's. */
function need(id: string): unknown {
  if (!id.startsWith("./")) return builtin(id);
  const known = loaded.get(id);
  if (known !== undefined) return known.exports;
  const module = { exports: {} };
  loaded.set(id, module);
  const name = id.slice(2);
  const script = new Script(asset(name).toString("latin1"), {
    filename: `hansa:${name}`,
    cachedData: asset(`${name}.code`),
  });
  const run = script.runInThisContext() as ChunkFunction;
  run(module.exports, need, module, process.execPath, process.execPath);
  return module.exports;
}

/** Lies in the executable and must not be written to. */
function asset(name: string): Buffer {
  return Buffer.from(getRawAsset(name) as ArrayBuffer);
}
