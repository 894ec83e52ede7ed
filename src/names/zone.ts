/**
 * The zone `hansa` at one moment: who has which address, and what is answered to a question about it. Pure.
 *
 * Invariant: authoritative for `hansa` and for the reverse names of the subnet, and for nothing else: other questions are refused.
 */
import { contains, type Range } from "../values/cidr.ts";
import { formatIpv4, type Ipv4, parseIpv4 } from "../values/ipv4.ts";
import { CLASS, type Question, RCODE, type ResourceRecord, TYPE } from "./dns-message.ts";
import { type DomainName, foldedName, NODES, ZONE } from "./domain-name.ts";

/** Seconds that an answer may be kept, also a negative one. */
export const TTL = 1;

export interface ZoneName {
  /** In lower case, below the zone: "web", "host1.node". */
  readonly name: string;
  readonly address: Ipv4;
  /** True for the name that the address is called by in reverse. */
  readonly isMain: boolean;
}

export interface ZoneOptions {
  /** Our own node's id: <id>.node.hansa is the name server. */
  readonly id: number;
  /** The subnet, whose reverse names are ours. */
  readonly subnet: Range;
  /** Raised by each change of names. */
  readonly serial: number;
}

export interface ZoneAnswer {
  readonly rcode: number;
  readonly answers: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
}

const REVERSE = ".in-addr.arpa";

export class Zone {
  readonly #options: ZoneOptions;
  readonly #addresses = new Map<string, Set<Ipv4>>();
  readonly #reverse = new Map<Ipv4, string[]>();
  /** Names that only have names below them, such as "node". */
  readonly #parents = new Set<string>();

  constructor(names: Iterable<ZoneName>, options: ZoneOptions) {
    this.#options = options;
    for (const { name, address, isMain } of names) {
      const addresses = this.#addresses.get(name);
      if (addresses) addresses.add(address);
      else this.#addresses.set(name, new Set([address]));
      if (isMain) {
        const called = this.#reverse.get(address);
        if (called) called.push(name);
        else this.#reverse.set(address, [name]);
      }
      for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
        this.#parents.add(name.slice(dot + 1));
      }
    }
  }

  /** Addresses come in the order in which they became known: whoever sends the answer mixes them. */
  answer(question: Question): ZoneAnswer {
    const name = foldedName(question.name);
    const isInternet = question.class === CLASS.IN || question.class === CLASS.ANY;
    if (name === undefined || !isInternet) {
      return isInternet && isBelowZone(question.name) ? this.#missing() : refused();
    }
    if (name === ZONE) return this.#apex(question);
    if (name.endsWith(`.${ZONE}`)) {
      return this.#forward(question, name.slice(0, -ZONE.length - 1));
    }
    if (name.endsWith(REVERSE)) return this.#backward(question, name);
    return refused();
  }

  #apex(question: Question): ZoneAnswer {
    const asked = (type: number): boolean => question.type === type || question.type === TYPE.ANY;
    const answers: ResourceRecord[] = [];
    if (asked(TYPE.SOA)) answers.push(this.#soa());
    if (asked(TYPE.NS)) {
      const data = { kind: "name", name: this.#server() } as const;
      answers.push({ name: question.name, type: TYPE.NS, class: CLASS.IN, ttl: TTL, data });
    }
    return answers.length === 0 ? this.#nothing() : found(answers);
  }

  #forward(question: Question, name: string): ZoneAnswer {
    const addresses = this.#addresses.get(name);
    if (!addresses) return this.#parents.has(name) ? this.#nothing() : this.#missing();
    if (question.type !== TYPE.A && question.type !== TYPE.ANY) return this.#nothing();
    return found(
      [...addresses].map((address) => ({
        name: question.name,
        type: TYPE.A,
        class: CLASS.IN,
        ttl: TTL,
        data: { kind: "address", address },
      })),
    );
  }

  #backward(question: Question, name: string): ZoneAnswer {
    const octets = name.slice(0, -REVERSE.length).split(".");
    const address = parseIpv4(octets.toReversed().join("."));
    if (octets.length !== 4 || address === undefined || !contains(this.#options.subnet, address)) {
      return refused();
    }
    const names = this.#reverse.get(address);
    if (!names) return this.#missing();
    if (question.type !== TYPE.PTR && question.type !== TYPE.ANY) return this.#nothing();
    return found(
      names.map((each) => ({
        name: question.name,
        type: TYPE.PTR,
        class: CLASS.IN,
        ttl: TTL,
        data: { kind: "name", name: [...each.split("."), ZONE] },
      })),
    );
  }

  /** The name exists, but not with this type. */
  #nothing(): ZoneAnswer {
    return { rcode: RCODE.NOERROR, answers: [], authority: [this.#soa()] };
  }

  #missing(): ZoneAnswer {
    return { rcode: RCODE.NXDOMAIN, answers: [], authority: [this.#soa()] };
  }

  #server(): DomainName {
    return [`${this.#options.id}`, NODES, ZONE];
  }

  #soa(): ResourceRecord {
    const numbers = [this.#options.serial >>> 0, TTL, TTL, 60, TTL] as const;
    const data = { server: this.#server(), mailbox: ["hostmaster", ZONE], numbers };
    const soa = { kind: "soa", ...data } as const;
    return { name: [ZONE], type: TYPE.SOA, class: CLASS.IN, ttl: TTL, data: soa };
  }
}

/** "4.3.2.10.in-addr.arpa" for 10.2.3.4, as labels. */
export function reverseName(address: Ipv4): DomainName {
  return [...formatIpv4(address).split(".").toReversed(), "in-addr", "arpa"];
}

function isBelowZone(name: DomainName): boolean {
  return name.at(-1)?.toLowerCase() === ZONE;
}

function found(answers: readonly ResourceRecord[]): ZoneAnswer {
  return { rcode: RCODE.NOERROR, answers, authority: [] };
}

function refused(): ZoneAnswer {
  return { rcode: RCODE.REFUSED, answers: [], authority: [] };
}
