/**
 * Finds the container that somebody means: Docker here knows its own, gossip what runs on the other nodes.
 *
 * Invariants: never guesses: what fits several is refused with all of them; what another node passed on is looked for here only.
 */
import type { Caller } from "../../api/caller.ts";
import type { Containers } from "../../api/container-schema.ts";
import { chooseNode, type NamedNode } from "../../api/node-path.ts";
import type { FoundContainer } from "../../api/reach-port.ts";
import type { Container, ContainerSummary, Engine } from "../../docker/engine.ts";
import { HansaError, isHansaError } from "../../errors.ts";
import { DOCKER_NETWORK_NAME } from "../../overlay/docker-network.ts";
import {
  type ContainerReference,
  containerLabel,
  matchContainers,
  type NamedContainer,
  parseContainerReference,
} from "../../values/container-reference.ts";
import { includesRole } from "../../values/role.ts";

const SERVICE_LABEL = "com.docker.compose.service";

export interface ContainerFinderOptions {
  readonly self: NamedNode;
  readonly engine: Engine;
  /** What runs on the network on any node, by the first digits of its id. */
  readonly running: () => readonly NamedContainer[];
  /** Also those that do not run, as far as their nodes tell; may take a while the first time. */
  readonly all: () => Promise<readonly NamedContainer[]>;
  /** All nodes, this one among them. */
  readonly nodes: () => readonly NamedNode[];
}

export class ContainerFinder {
  readonly #options: ContainerFinderOptions;

  constructor(options: ContainerFinderOptions) {
    this.#options = options;
  }

  /** See ReachPort. */
  async find(text: string, caller: Caller): Promise<FoundContainer> {
    const { self, nodes } = this.#options;
    const reference = parseContainerReference(text);
    if (reference === undefined) throw notFound(text);
    const { node, container } = reference;
    const place = node === undefined ? undefined : chooseNode(node, nodes());
    if (place !== undefined && place.id !== self.id) {
      // Its node finds it, also when it does not run.
      return { node: place, id: "", name: container, services: [], isHere: false };
    }
    const onlyHere = place !== undefined || caller.via !== undefined;
    const found = await this.#candidates({ node: undefined, container }, caller, onlyHere);
    const [first, ...more] = found;
    if (first === undefined) throw notFound(text);
    if (more.length === 0) return first;
    const candidates = found.map(containerLabel).sort().join(", ");
    throw new HansaError("CONTAINER_AMBIGUOUS", `${text} may be any of ${candidates}`);
  }

  async #candidates(
    reference: ContainerReference,
    caller: Caller,
    onlyHere: boolean,
  ): Promise<readonly FoundContainer[]> {
    const { self, engine, running } = this.#options;
    // Docker knows names and beginnings of ids itself, and answers sooner than with a list.
    let down: HansaError | undefined;
    const asked = engine.inspectContainer(reference.container).catch((error: unknown) => {
      if (!isHansaError(error, "DOCKER_UNREACHABLE")) throw error;
      // What runs elsewhere is found all the same.
      down = error;
      return undefined;
    });
    // While Docker looks. A defect of ours must not leave the question to nobody.
    const [direct, told] = await Promise.all([asked, (async () => running())()]);
    const known = told
      .filter(({ node }) => !onlyHere || node.id === self.id)
      .filter(({ node, id }) => node.id !== self.id || direct?.id.startsWith(id) !== true)
      .map((each) => ({
        ...each,
        // Names travel in lower case.
        name: each.name === reference.container.toLowerCase() ? reference.container : each.name,
        isHere: each.node.id === self.id,
      }));
    const own = direct === undefined ? [] : [this.#ours(direct)];
    const found = matchContainers(reference, [...own, ...known]);
    if (direct !== undefined && found.includes(own[0] as FoundContainer)) {
      this.#requireInside(direct, caller);
    }
    if (found.length > 0) return found;
    if (down !== undefined) throw down;
    const listed = await engine.listContainers({ network: DOCKER_NETWORK_NAME });
    const ours = listed.map((each) => this.#ours(each));
    const others = onlyHere ? [] : await this.#options.all();
    const elsewhere = others
      .filter(({ node }) => node.id !== self.id)
      .map((each) => ({ ...each, isHere: false }));
    return matchContainers(reference, [...ours, ...elsewhere]);
  }

  #ours({ id, name, labels }: Container | ContainerSummary): FoundContainer {
    const service = labels[SERVICE_LABEL];
    const services = service === undefined ? [] : [service];
    return { node: this.#options.self, id, name, services, isHere: true };
  }

  #requireInside({ name, attachments }: Container, caller: Caller): void {
    if (includesRole(caller.role, "admin")) return;
    if (attachments.some(({ network }) => network === DOCKER_NETWORK_NAME)) return;
    throw new HansaError(
      "CONTAINER_OUTSIDE",
      `the container ${name} is not on the network ${DOCKER_NETWORK_NAME}, and ${caller.name} is ${caller.role}`,
    );
  }
}

function notFound(text: string): HansaError {
  return new HansaError("CONTAINER_NOT_FOUND", `no container ${text} is known`);
}

/** The rows of `hansa ps`, as they are found by. */
export function namedContainers({ containers }: Containers): NamedContainer[] {
  return containers.flatMap(({ node, id, dockerName, name, group }) =>
    id === null ? [] : [{ node, id, name: dockerName, services: group === null ? [] : [name] }],
  );
}
