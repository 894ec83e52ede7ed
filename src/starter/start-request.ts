/**
 * What a member of the group may ask the starter for, read from what came over the socket. Pure.
 *
 * Invariant: what is taken is of known fields and bounded; whether a name, an address or a port is a good one is for the launch to say.
 */
import { HansaError } from "../errors.ts";
import type { Ports } from "../processes/node-file.ts";
import { isNodeLink, MAX_LINKS, type NodeLink } from "../values/node-link.ts";

export const DEFAULT_NODE_NAME = "simplecontainer-node";
export const DEFAULT_DOMAIN = "localhost";

/** Left out is what the asker did not say: it has its default at the first start, and its stored value later. */
export interface StartRequest {
  readonly name?: string;
  readonly domain?: string;
  /** More addresses in the certificate. */
  readonly addresses?: readonly string[];
  /** Name of the cluster that is made. Not with `join`. */
  readonly cluster?: string;
  readonly subnet?: string;
  readonly links?: readonly NodeLink[];
  readonly ports?: Partial<Ports>;
  /** Join a cluster: the asker is then asked to have the cluster admit this host. */
  readonly join: boolean;
}

export interface StopRequest {
  /** For good, as `hansa reset`. */
  readonly leave: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

const MAX_TEXT = 300;
const MAX_LIST = 16;
const PORT_NAMES = ["gossip", "overlay", "api", "raft", "store"] as const;
/** What the line itself consists of. */
const ENVELOPE = ["id", "op"];

/** Throws USAGE naming the field. */
export function parseStartRequest(fields: Fields): StartRequest {
  const known = ["name", "domain", "addresses", "cluster", "subnet", "links", "ports", "join"];
  refuseOthers(fields, known);
  return {
    ...text(fields, "name"),
    ...text(fields, "domain"),
    ...text(fields, "cluster"),
    ...text(fields, "subnet"),
    ...list(fields, "addresses"),
    ...links(fields["links"]),
    ...ports(fields["ports"]),
    join: flag(fields, "join"),
  };
}

/** Throws USAGE naming the field. */
export function parseStopRequest(fields: Fields): StopRequest {
  refuseOthers(fields, ["leave"]);
  return { leave: flag(fields, "leave") };
}

function refuseOthers(fields: Fields, known: readonly string[]): void {
  const other = Object.keys(fields).find((name) => ![...known, ...ENVELOPE].includes(name));
  if (other !== undefined) malformed(other);
}

function text<Name extends string>(fields: Fields, name: Name): { [N in Name]?: string } {
  const value = fields[name];
  if (value === undefined) return {};
  if (!isText(value)) malformed(name);
  return { [name]: value } as { [N in Name]?: string };
}

function list<Name extends string>(fields: Fields, name: Name): { [N in Name]?: string[] } {
  const value = fields[name];
  if (value === undefined) return {};
  if (!Array.isArray(value) || value.length > MAX_LIST || !value.every(isText)) malformed(name);
  return { [name]: value } as { [N in Name]?: string[] };
}

function links(value: unknown): { links?: NodeLink[] } {
  if (value === undefined) return {};
  if (!Array.isArray(value) || value.length > MAX_LINKS || !value.every(isNodeLink))
    malformed("links");
  const links = value.map(({ number, address, priority }) => ({ number, address, priority }));
  return { links };
}

function ports(value: unknown): { ports?: Partial<Ports> } {
  if (value === undefined) return {};
  if (typeof value !== "object" || value === null || Array.isArray(value)) malformed("ports");
  const given = value as Record<string, unknown>;
  const isGood = Object.entries(given).every(
    ([name, port]) => PORT_NAMES.some((each) => each === name) && Number.isInteger(port),
  );
  if (!isGood) malformed("ports");
  return { ports: given as Partial<Ports> };
}

function flag(fields: Fields, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value !== "boolean") malformed(name);
  return value;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= MAX_TEXT;
}

function malformed(field: string): never {
  const shown = JSON.stringify(field.slice(0, 40)).slice(1, -1);
  throw new HansaError("USAGE", `the request to the starter is malformed at ${shown}`);
}
