/** What carries containers' packets to a peer. Pure. */
import { backendOf, type NodeFile } from "../../processes/node-file.ts";
import type { Path } from "../../relay/relay-paths.ts";

/** The tunnel itself, or whoever passes its datagrams on, for a peer whose tunnel takes this way. */
export function carrierOf(encryption: NodeFile["encryption"], path: Path) {
  return path.kind === "direct" ? backendOf(encryption) : ("relay" as const);
}
