/**
 * An esbuild plugin that leaves HTTP/2 out of the API's server.
 *
 * @hono/node-server asks of each request whether it came by HTTP/2, which we never serve (the store's client does speak it), and loading the
 * module costs as much as all of the API's routes.
 */
import type { Plugin } from "esbuild";

const NO_HTTP2 = "exports.Http2ServerRequest = class {}; exports.constants = {};";

export const noHttp2: Plugin = {
  name: "no-http2",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:http2$/ }, ({ path, importer }) =>
      importer.includes("/@hono/node-server/") ? { path, namespace: "no-http2" } : undefined,
    );
    onLoad({ filter: /.*/, namespace: "no-http2" }, () => ({ contents: NO_HTTP2, loader: "js" }));
  },
};
