/**
 * Names in the cluster: what runs here is told to everybody, and what everybody told is answered to whoever asks by DNS.
 *
 * The zone is built from members and names when somebody asks for the first time after they changed.
 */
import type { Status } from "../../api/status-schema.ts";
import type { Container } from "../../docker/engine.ts";
import { type AddressPlan, nodeAddress } from "../../ipam/address-plan.ts";
import { ZONE } from "../../names/domain-name.ts";
import type { NameRegistry } from "../../names/name-registry.ts";
import { NameServer } from "../../names/name-server.ts";
import type { NameEntry } from "../../names/name-set.ts";
import { respond } from "../../names/responder.ts";
import { TTL, Zone } from "../../names/zone.ts";
import { DIVERTED_DNS_PORT } from "../../overlay/name-diversion.ts";
import { contains } from "../../values/cidr.ts";
import type { NamedContainer } from "../../values/container-reference.ts";
import { formatIpv4, parseIpv4 } from "../../values/ipv4.ts";
import type { NodeId } from "../../values/node-id.ts";
import { isHeard, type Roster } from "../membership/roster.ts";
import { nameEntryOf } from "./container-names.ts";
import { type NamedAddress, namesOf } from "./names-view.ts";

const LOOPBACK = /^(::ffff:)?127\./;

export interface NameLoopOptions {
  readonly self: NodeId;
  readonly plan: AddressPlan;
  readonly roster: () => Roster;
  readonly registry: Pick<NameRegistry, "entriesOf" | "revision">;
  readonly tell: (entries: readonly NameEntry[]) => void;
  /** What is served changed. */
  readonly changed: () => void;
}

export class NameLoop {
  readonly #options: NameLoopOptions;
  readonly #server: NameServer;
  #names: { readonly roster: Roster; readonly revision: number; readonly list: NamedAddress[] };
  #zone: Zone | undefined;
  #serial = Math.floor(Date.now() / 1000);

  constructor(options: NameLoopOptions) {
    this.#options = options;
    this.#names = { roster: options.roster(), revision: -1, list: [] };
    this.#server = new NameServer({
      address: this.#address,
      divertedPort: DIVERTED_DNS_PORT,
      respond: (query, via) =>
        respond(query, { zone: this.#currentZone(), via, random: Math.random }),
      isInside: (ip) => this.#isInside(ip),
      changed: options.changed,
    });
  }

  /** All containers of this node on the network, as they are now. */
  setContainers(containers: Iterable<Container>): void {
    this.#options.tell([...containers].flatMap((container) => nameEntryOf(container) ?? []));
  }

  view(): Status["dns"] {
    return {
      domain: ZONE,
      address: this.#address,
      ttl: TTL,
      ready: this.#server.isServing,
      entries: this.#list().map(({ name, address, container, node }) => ({
        hostname: `${name}.${ZONE}`,
        address: formatIpv4(address),
        containerId: container ?? null,
        node,
      })),
    };
  }

  /** What runs on the nodes that are heard, ours too, each once. */
  containers(): NamedContainer[] {
    const { roster: lookUp, registry } = this.#options;
    const roster = lookUp();
    return [roster.self, ...roster.peers.filter(isHeard)].flatMap(({ member, metadata }) => {
      const { id, name } = metadata;
      return registry
        .entriesOf(member.name)
        .map(({ container, names: [main = "", ...services] }) => ({
          ...{ node: { id, name }, id: container, name: main, services },
        }));
    });
  }

  /** Why names are not served as they should be. */
  get problem(): string | undefined {
    const { taken } = this.#server;
    if (taken.length === 0) return undefined;
    return `NAMES_PORT_TAKEN: another program has port ${taken.join(" and ")} of ${this.#address}`;
  }

  close(): void {
    this.#server.close();
  }

  get #address(): string {
    return formatIpv4(nodeAddress(this.#options.plan, this.#options.self));
  }

  #list(): readonly NamedAddress[] {
    const { registry, plan } = this.#options;
    const [roster, revision] = [this.#options.roster(), registry.revision];
    if (this.#names.roster !== roster || this.#names.revision !== revision) {
      const list = namesOf(roster, plan, (owner) => registry.entriesOf(owner));
      this.#names = { roster, revision, list };
      this.#zone = undefined;
    }
    return this.#names.list;
  }

  #currentZone(): Zone {
    const names = this.#list();
    this.#zone ??= new Zone(names, {
      id: this.#options.self,
      subnet: this.#options.plan.range,
      serial: ++this.#serial,
    });
    return this.#zone;
  }

  /** From a node or container of the overlay, or from this host. */
  #isInside(ip: string): boolean {
    const address = parseIpv4(ip);
    return (
      LOOPBACK.test(ip) || (address !== undefined && contains(this.#options.plan.range, address))
    );
  }
}
