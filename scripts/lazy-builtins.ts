/**
 * An esbuild plugin that loads Node's own modules where they are used instead of at each start.
 *
 * esbuild hoists every `import … from "node:http"` to the top of an ESM bundle, also that of a module which only import() reaches, and
 * Node then loads them all at each start: 60 ms. Wrapped as CommonJS they are loaded with the module that needs them.
 */
import type { Plugin } from "esbuild";

/**
 * Taken out: @hono/node-server asks of each request whether it came by HTTP/2, which we never serve (the store's client does speak it), and loading the module costs as
 * much as all of the API's routes.
 */
const NO_HTTP2 = "exports.Http2ServerRequest = class {}; exports.constants = {};";

export const lazyBuiltins: Plugin = {
  name: "lazy-builtins",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, kind, importer }) => {
      if (kind !== "import-statement") return { path, external: true };
      const isUnused = path === "node:http2" && importer.includes("/@hono/node-server/");
      return { path, namespace: isUnused ? "no-http2" : "lazy-builtin" };
    });
    onLoad({ filter: /.*/, namespace: "no-http2" }, () => ({ contents: NO_HTTP2, loader: "js" }));
    onLoad({ filter: /.*/, namespace: "lazy-builtin" }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)})`,
      loader: "js",
    }));
  },
};
