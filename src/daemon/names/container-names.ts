/** A container as Docker shows it, as names in the cluster. Pure. */
import type { Container } from "../../docker/engine.ts";
import { localName, NODES } from "../../names/domain-name.ts";
import { MAX_NAMES, type NameEntry } from "../../names/name-set.ts";
import { DOCKER_NETWORK_NAME } from "../../overlay/docker-network.ts";
import { parseIpv4 } from "../../values/ipv4.ts";

const SHORT_ID = 12;

/**
 * What the container is called on network `hansa`: by its name, then by its aliases there (those of its service in a compose file). Undefined
 * when it does not run there, or when no name of it can be one in DNS. Docker's alias for the id is left out; names of nodes are theirs.
 */
export function nameEntryOf(container: Container): NameEntry | undefined {
  const attachment = container.attachments.find(({ network }) => network === DOCKER_NETWORK_NAME);
  const address = parseIpv4(attachment?.address ?? "");
  if (!container.running || !attachment || address === undefined) return undefined;
  const id = container.id.slice(0, SHORT_ID);
  const names = new Set<string>();
  for (const text of [container.name, ...attachment.aliases]) {
    const name = text === id ? undefined : localName(text);
    if (name !== undefined && name !== NODES && !name.endsWith(`.${NODES}`)) names.add(name);
  }
  if (names.size === 0) return undefined;
  return { container: id, address, names: [...names].slice(0, MAX_NAMES) };
}
