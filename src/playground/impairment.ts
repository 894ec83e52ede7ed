/**
 * What is wrong with the network at the moment, as data; and what each host must therefore drop, as text for nft.
 *
 * Pure. Invariant: the whole of a host's rules is derived anew from all impairments and set in one transaction, so that
 * order and repetition of commands do not matter and a host that boots gets what holds now.
 */
import { addressOf, macOf } from "./layout.ts";

/** A change of the network between hosts; numbers are host numbers (from 1) and link numbers (from 0). */
export interface Impairments {
  readonly cuts: readonly { readonly host: number; readonly link: number }[];
  /** Hosts hear only those of their own group; a host in no group hears all. */
  readonly groups: readonly (readonly number[])[];
  readonly oneways: readonly Oneway[];
  readonly blocks: readonly Block[];
  readonly delays: readonly Delay[];
}

/** What host `from` sends is dropped by host `to`: all of it, or the packets of one port. */
export interface Oneway {
  readonly from: number;
  readonly to: number;
  readonly only?: BlockedPort | undefined;
}

export interface BlockedPort {
  readonly protocol: "udp" | "tcp";
  readonly port: number;
}

/** A firewall between two hosts: packets of either with this source or destination port are dropped. */
export interface Block extends BlockedPort {
  readonly a: number;
  readonly b: number;
}

/** Between two hosts, on all links: `ms` each way, `loss` percent of packets each way. */
export interface Delay {
  readonly a: number;
  readonly b: number;
  readonly ms: number;
  readonly loss: number;
}

export const NO_IMPAIRMENTS: Impairments = {
  cuts: [],
  groups: [],
  oneways: [],
  blocks: [],
  delays: [],
};

/** The nft table that is ours in each host's namespace; nothing else of the host's rules is touched. */
export const TABLE = "hansa_playground";

/** Hosts whose packets host `i` must drop whole, in ascending order. */
export function deafTo(i: number, hosts: number, impairments: Impairments): readonly number[] {
  const groupOf = (host: number): number =>
    impairments.groups.findIndex((group) => group.includes(host));
  const own = groupOf(i);
  const deaf: number[] = [];
  for (let other = 1; other <= hosts; other += 1) {
    if (other === i) continue;
    const theirs = groupOf(other);
    const isParted = own !== -1 && theirs !== -1 && own !== theirs;
    const isOneway = impairments.oneways.some(
      ({ from, to, only }) => from === other && to === i && !only,
    );
    if (isParted || isOneway) deaf.push(other);
  }
  return deaf;
}

/**
 * The nft script that makes host `i` drop what it must not hear; only removes the table when that is nothing.
 *
 * Dropping happens on arrival, before connection tracking and defragmentation, by address (delayed packets come through
 * a tunnel without Ethernet headers) and by hardware address (forwarded packets may have other source addresses).
 */
export function rulesOf(i: number, hosts: number, links: number, impairments: Impairments): string {
  const rules: string[] = [];
  for (const other of deafTo(i, hosts, impairments)) {
    rules.push(`ip saddr { ${addresses(other, links)} } drop`);
    rules.push(`ether saddr { ${macs(other, links)} } drop`);
  }
  const drop = (other: number, { protocol, port }: BlockedPort): void => {
    const from = `ip saddr { ${addresses(other, links)} }`;
    rules.push(`${from} ${protocol} dport ${port} drop`);
    rules.push(`${from} ${protocol} sport ${port} drop`);
  };
  for (const block of impairments.blocks) {
    if (block.a === i || block.b === i) drop(block.a === i ? block.b : block.a, block);
  }
  for (const { from, to, only } of impairments.oneways) if (to === i && only) drop(from, only);
  // Adding first makes the deletion succeed where there was no table.
  const clear = `add table inet ${TABLE}\ndelete table inet ${TABLE}\n`;
  if (rules.length === 0) return clear;
  const chain = "type filter hook prerouting priority -500; policy accept;";
  const body = rules.map((rule) => `    ${rule}\n`).join("");
  return `${clear}table inet ${TABLE} {\n  chain arriving {\n    ${chain}\n${body}  }\n}\n`;
}

/** True when the link between both hosts' ends of it is whole. */
export function isLinkUp(host: number, link: number, impairments: Impairments): boolean {
  return !impairments.cuts.some((cut) => cut.host === host && cut.link === link);
}

/** `impairments` with this delay in place of any other between the same hosts; none when both numbers are 0. */
export function withDelay(impairments: Impairments, delay: Delay): Impairments {
  const others = impairments.delays.filter((each) => !isSamePair(each, delay));
  const isNone = delay.ms === 0 && delay.loss === 0;
  return { ...impairments, delays: isNone ? others : [...others, delay] };
}

/** Adds or removes cuts of `host`: of one link, or of all where `link` is undefined. */
export function withCut(
  impairments: Impairments,
  cut: { readonly host: number; readonly link: number | undefined; readonly links: number },
  isCut: boolean,
): Impairments {
  const links = cut.link === undefined ? [...Array(cut.links).keys()] : [cut.link];
  const others = impairments.cuts.filter(
    ({ host, link }) => host !== cut.host || !links.includes(link),
  );
  const added = isCut ? links.map((link) => ({ host: cut.host, link })) : [];
  return { ...impairments, cuts: [...others, ...added] };
}

/** True when both name the same two hosts, in either order. */
export function isSamePair(
  x: { readonly a: number; readonly b: number },
  y: { readonly a: number; readonly b: number },
): boolean {
  return (x.a === y.a && x.b === y.b) || (x.a === y.b && x.b === y.a);
}

function addresses(host: number, links: number): string {
  return [...Array(links).keys()].map((link) => addressOf(host, link)).join(", ");
}

function macs(host: number, links: number): string {
  return [...Array(links).keys()].map((link) => macOf(host, link)).join(", ");
}
