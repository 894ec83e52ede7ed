/**
 * The Docker network of a node that is taken away: who is on it, and its removal.
 *
 * Invariant: a network of that name which is not ours is not touched.
 */
import type { ContainerSummary, Engine } from "../docker/engine.ts";
import { HansaError, isHansaError } from "../errors.ts";

const NETWORK = "hansa";
const IPAM_DRIVER = "hansa";

/** Containers on our network, stopped ones too; undefined when Docker has no such network. Throws DOCKER_UNREACHABLE. */
export async function networkUsers(
  engine: Engine,
): Promise<readonly ContainerSummary[] | undefined> {
  const network = await engine.inspectNetwork(NETWORK);
  if (network?.ipamDriver !== IPAM_DRIVER) return undefined;
  return await engine.listContainers({ network: NETWORK });
}

/** Throws NETWORK_IN_USE naming the containers, when there are any. */
export function refuseUsers(users: readonly ContainerSummary[]): void {
  if (users.length === 0) return;
  const named = users.slice(0, 10).map(({ name, status }) => `${name} (${status})`);
  const more = users.length > named.length ? ` and ${users.length - named.length} more` : "";
  const what = users.length === 1 ? "a container is" : `${users.length} containers are`;
  throw new HansaError(
    "NETWORK_IN_USE",
    `${what} on the network ${NETWORK}: ${named.join(", ")}${more}`,
  );
}

/** Takes all of `users` off the network; they live on without it. One that is gone meanwhile is no error. */
export async function disconnectUsers(
  engine: Engine,
  users: readonly ContainerSummary[],
): Promise<void> {
  for (const { id } of users) {
    try {
      await engine.disconnectNetwork(NETWORK, id, true);
    } catch (error) {
      if (!isHansaError(error, "DOCKER_REFUSED")) throw error;
      const still = await engine.listContainers({ network: NETWORK });
      if (still.some((each) => each.id === id)) throw error;
    }
  }
}

/**
 * Removes the network; containers that came meanwhile are disconnected with `force`, and refused without. `withPlugin` sees that Docker
 * finds an address plugin during the removal.
 */
export async function removeNetwork(
  engine: Engine,
  force: boolean,
  withPlugin: (remove: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const users = await networkUsers(engine);
  if (users === undefined) return;
  if (!force) refuseUsers(users);
  await withPlugin(async () => {
    await disconnectUsers(engine, users);
    await engine.removeNetwork(NETWORK);
  });
}
