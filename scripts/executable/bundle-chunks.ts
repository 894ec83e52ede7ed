/**
 * The program as chunks: what is loaded together is one, and each import() begins others.
 *
 * esbuild splits ES modules only, and a single executable loads no ES module but its main one; so each chunk is turned into a CommonJS function
 * afterwards. Names stay as in the sources: that costs no time, and a stack trace can be read.
 */
import { basename, join } from "node:path";
import { build, transform } from "esbuild";

export interface Chunk {
  /** "chunk-AB12CD34.js"; what chunks call each other, with "./" before it. */
  readonly name: string;
  /** `(function (exports, require, module, __filename, __dirname) {…})`, all ASCII. */
  readonly source: string;
}

/** The chunk of src/main.ts, where the program begins. */
export const FIRST_CHUNK = "main.js";

/** Bundles src/main.ts of the tree `root`, with `define` filled in. Throws where esbuild finds something wrong. */
export async function bundleChunks(
  root: string,
  define: Readonly<Record<string, string>>,
): Promise<readonly Chunk[]> {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(root, "src/main.ts")],
    outdir: join(root, "dist"),
    entryNames: "[name]",
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    absWorkingDir: root,
    platform: "node",
    format: "esm",
    target: "node26",
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    define: { ...define },
  });
  const packages = new Set(
    Object.entries(metafile.outputs)
      .filter(([, { entryPoint }]) => metafile.inputs[entryPoint ?? ""]?.format === "cjs")
      .map(([path]) => basename(path)),
  );
  return Promise.all(
    outputFiles.map(async ({ path, text }) => {
      const name = basename(path);
      return { name, source: await asFunction(text, packages.has(name)) };
    }),
  );
}

/** `isPackage`: the chunk is what an import() of a CommonJS package asks for. esbuild exports such a one as `default` alone, and whoever asked wants its names. */
async function asFunction(text: string, isPackage: boolean): Promise<string> {
  const { code } = await transform(text, {
    format: "cjs",
    platform: "node",
    target: "node26",
    minifyWhitespace: true,
    minifySyntax: true,
    // import() becomes require() a moment later.
    supported: { "dynamic-import": false },
    // Where a file of the sources lies is asked only when they run unbuilt.
    logOverride: { "empty-import-meta": "silent" },
  });
  const source = `(function(exports,require,module,__filename,__dirname){${code}${isPackage ? "module.exports=module.exports.default;" : ""}\n})`;
  // The loader reads bytes as characters.
  const strange = /[^\0-\x7f]/.exec(source);
  if (strange !== null) throw new Error(`not ASCII in a chunk: ${strange[0]}`);
  return source;
}
