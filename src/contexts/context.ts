/** A context: where a cluster's API is, and the certificate to be let in there with. Holds a secret. */

export interface ClusterContext {
  readonly version: 1;
  /** HOST:PORT of nodes, the first to be asked first; 1 to 64. */
  readonly api: readonly string[];
  /** The cluster's authority, PEM. */
  readonly ca: string;
  /** The holder's own, PEM. */
  readonly certificate: string;
  readonly privateKey: string;
}

/** Names of contexts are file names. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const MAX_PLACES = 64;
const MAX_PEM = 16_384;

export function isContextName(text: string): boolean {
  return NAME.test(text) && !text.endsWith(".json");
}

/** HOST:PORT, where HOST is a name, an IPv4 address or an IPv6 address in brackets. */
export function isPlace(text: string): boolean {
  const [, port] =
    /^(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([1-9]\d{0,4})$/.exec(text) ?? [];
  return port !== undefined && Number(port) <= 65_535;
}

/** The context in a decoded JSON value, whatever that is; undefined when it is none. */
export function parseContext(value: unknown): ClusterContext | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { version, api, ca, certificate, privateKey } = value as Record<string, unknown>;
  const isGood =
    version === 1 &&
    Array.isArray(api) &&
    api.length > 0 &&
    api.length <= MAX_PLACES &&
    api.every((place) => typeof place === "string" && isPlace(place)) &&
    isPem(ca, "CERTIFICATE") &&
    isPem(certificate, "CERTIFICATE") &&
    isPem(privateKey, "PRIVATE KEY");
  return isGood ? ({ version, api, ca, certificate, privateKey } as ClusterContext) : undefined;
}

function isPem(value: unknown, label: string): boolean {
  return (
    typeof value === "string" &&
    value.length <= MAX_PEM &&
    value.startsWith(`-----BEGIN ${label}-----\n`)
  );
}
