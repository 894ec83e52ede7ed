/** Having a cluster take this host in: asked with the certificate of a context, on behalf of the starter, whose keys are not seen here. */
import type { Joined } from "../api/join-schemas.ts";
import { isPlace } from "../contexts/context.ts";
import { HansaError } from "../errors.ts";
import type { Admission, JoinQuestion } from "../starter/admission.ts";
import { DEFAULT_API_PORT } from "../values/api-port.ts";
import type { Context } from "./command.ts";

const GOSSIP_PORT = 6783;

/** HOST:PORT in the URL of a node's control plane; the port is 1443 when it is left out. Undefined for another text. Pure. */
export function peerPlace(url: string): string | undefined {
  const [, host] = /^(?:https:\/\/)?([^/@?#]+)\/?$/.exec(url) ?? [];
  const place = host && (/:\d+$/.test(host) ? host : `${host}:${DEFAULT_API_PORT}`);
  return place && isPlace(place) ? place : undefined;
}

/**
 * Asks the node at `peer`, by default the first of the context that answers, with the context in use or named. Throws CONTEXT_NOT_FOUND at once, before
 * anything is done.
 */
export async function admitterOf(
  context: Context,
  peer: string | undefined,
): Promise<(question: JoinQuestion) => Promise<Admission>> {
  const { ContextStore } = await import("../contexts/context-store.ts");
  const store = new ContextStore();
  const name = context.contextName ?? store.active();
  if (name === undefined) {
    const text = "there is no context of the cluster that is to be joined";
    throw new HansaError("CONTEXT_NOT_FOUND", text, {
      hint: "import one first: hansa agent import BLOB KEY, as hansa context export prints them on a node",
    });
  }
  const read = store.read(name);
  const { contextDoor } = await import("../client/context-door.ts");
  const { apiClient } = await import("../client/node-client.ts");
  const client = apiClient(contextDoor(name, peer === undefined ? read : { ...read, api: [peer] }));
  return async (question) => {
    const { gossipPort, ...joined } = await client.join({ ...question });
    return { ...joined, targets: targetsOf(joined, gossipPort, peer) };
  };
}

/** The node that was asked is dialled where it was asked: its own address may be one that is not reached from here. */
function targetsOf(
  { targets }: Pick<Joined, "targets">,
  gossipPort: number,
  peer: string | undefined,
): string[] {
  if (peer === undefined) return targets;
  const host = peer.slice(0, peer.lastIndexOf(":"));
  const asked = gossipPort === GOSSIP_PORT ? host : `${host}:${gossipPort}`;
  return [asked, ...targets.slice(1)];
}
