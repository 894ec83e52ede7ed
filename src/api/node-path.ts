/**
 * Requests that name the node they are for: `/v1/nodes/{node}/status` is `/v1/status` of that node. Pure.
 *
 * Invariant: a path names one node at most; what is left of it begins with /v1/ again and is asked of that node as it is.
 */
import { HansaError } from "../errors.ts";

export interface NodePath {
  /** An id or a name, as it was asked for. */
  readonly node: string;
  /** What that node is asked for, with its query: "/v1/status?x=1". */
  readonly path: string;
}

/** A node by what it may be asked for with. */
export interface NamedNode {
  readonly id: number;
  readonly name: string;
}

const PREFIX = "/v1/nodes/";
const MAX_NODE_CHARACTERS = 253;

/** The node and the rest of `url` (path and query); undefined for one that names no node, or is malformed. Never throws. */
export function splitNodePath(url: string): NodePath | undefined {
  if (!url.startsWith(PREFIX)) return undefined;
  const [, encoded = "", rest = ""] = /^\/v1\/nodes\/([^/?#]+)\/([^?#][^#]*)/.exec(url) ?? [];
  // A node of a node: nothing is passed on twice.
  if (rest === "" || /^nodes(\/|\?|$)/.test(rest)) return undefined;
  const node = unescaped(encoded);
  if (node === undefined || node === "" || node.length > MAX_NODE_CHARACTERS) return undefined;
  return { node, path: `/v1/${rest}` };
}

/** `path`, which begins with /v1/, asked of `node`. */
export function nodePath(node: string | number, path: string): string {
  return `${PREFIX}${encodeURIComponent(node)}/${path.slice("/v1/".length)}`;
}

/** The one of `nodes` that has this id, else the one of this name. Throws NODE_NOT_FOUND, and USAGE when several have the name. */
export function chooseNode<Node extends NamedNode>(wanted: string, nodes: readonly Node[]): Node {
  const byId = nodes.find(({ id }) => `${id}` === wanted);
  if (byId) return byId;
  const [found, ...others] = nodes.filter(({ name }) => name === wanted);
  if (found === undefined) throw new HansaError("NODE_NOT_FOUND", `no node ${wanted} was ever met`);
  if (others.length === 0) return found;
  const ids = [found, ...others].map(({ id }) => id).sort((a, b) => a - b);
  throw new HansaError("USAGE", `the nodes ${ids.join(", ")} are all called ${wanted}`, {
    hint: "name the node by its id",
  });
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return undefined;
  }
}
