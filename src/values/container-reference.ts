/**
 * Which container somebody means: by name, id, the beginning of an id, or compose service, perhaps with its node before it. Pure.
 *
 * Invariant: never guesses. What fits several containers fits none.
 */

/** As much of a container as it is found by. */
export interface NamedContainer {
  readonly node: { readonly id: number; readonly name: string };
  /** 64 hexadecimal digits, or its first 12. */
  readonly id: string;
  readonly name: string;
  /** Its compose service, and what else it is called on the network. */
  readonly services: readonly string[];
}

export interface ContainerReference {
  /** Id or name of the node; undefined for any. */
  readonly node: string | undefined;
  readonly container: string;
}

/** "web" or "host2/web". Undefined for what no container can be called. */
export function parseContainerReference(text: string): ContainerReference | undefined {
  const match = /^(?:([^/]{1,253})\/)?([A-Za-z0-9][A-Za-z0-9_.-]{0,254})$/.exec(text);
  const container = match?.[2];
  return container === undefined ? undefined : { node: match?.[1], container };
}

/** "host2/web", which is what a container of a cluster is called in messages and prefixes. */
export function containerLabel({ node, name, id }: NamedContainer): string {
  return `${node.name}/${name === "" ? id.slice(0, 12) : name}`;
}

const ID_PREFIX = /^[0-9a-f]{1,64}$/;

/**
 * Those of `containers` that `reference` means: of the first of these rules that fits any: whole id, name, beginning of an id, compose service.
 * One is found, several are ambiguous.
 */
export function matchContainers<Container extends NamedContainer>(
  { node, container: wanted }: ContainerReference,
  containers: readonly Container[],
): readonly Container[] {
  const there = containers.filter(
    (each) => node === undefined || `${each.node.id}` === node || each.node.name === node,
  );
  const rules: readonly ((each: Container) => boolean)[] = [
    ({ id }) => id === wanted,
    ({ name }) => name === wanted,
    ({ id }) => ID_PREFIX.test(wanted) && id.startsWith(wanted),
    ({ services }) => services.includes(wanted),
  ];
  for (const rule of rules) {
    const found = there.filter(rule);
    if (found.length > 0) return found;
  }
  return [];
}
