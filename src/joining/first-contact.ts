/**
 * The first contact with a node of a cluster of which only the token is known: its certificate, before anything secret is used.
 *
 * Invariants: nothing but a handshake of TLS is said to who is not proved; the token never leaves this process: the key of the cluster's authority is derived
 * from it and from the name that the certificate says, and the certificate must be signed with that.
 */
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { apiClient, type NodeClient } from "../client/node-client.ts";
import { openTls } from "../client/open-tls.ts";
import { HansaError } from "../errors.ts";
import { createAuthority } from "../identity/authority.ts";
import { deriveRoot, isClusterName } from "../identity/roots.ts";

export interface Met {
  /** HOST and port as they were asked for. */
  readonly host: string;
  readonly port: number;
  readonly certificate: X509Certificate;
  /** SHA-256 of the certificate, in hex with colons. */
  readonly fingerprint: string;
  /** What the certificate says the cluster is called; not proved. */
  readonly cluster: string;
}

const OPEN_MS = 5_000;
const CALL_DAYS = 1;

/** Whoever answers at `host`. Throws CONTEXT_UNREACHABLE, and API_CERTIFICATE_REFUSED for what is no node's certificate. */
export async function meet(host: string, port: number): Promise<Met> {
  const named = isIP(host) === 0 ? { servername: host } : {};
  const socket = await openTls({ host, port, rejectUnauthorized: false, ...named }, OPEN_MS).catch(
    (error: unknown) => {
      const why = error instanceof Error ? error.message : `${error}`;
      throw unreachable(host, port, why);
    },
  );
  // What it says to who has no certificate is of no interest.
  socket.on("error", () => undefined);
  const certificate = socket.getPeerX509Certificate();
  socket.destroy();
  const [, cluster = ""] = /^CN=(.+)$/m.exec(certificate?.issuer ?? "") ?? [];
  if (certificate === undefined || !isClusterName(cluster)) {
    const text = `what answers at ${host} port ${port} is no node: its certificate names no cluster`;
    throw new HansaError("API_CERTIFICATE_REFUSED", text, { hint: "name a node of the cluster" });
  }
  return { host, port, certificate, fingerprint: certificate.fingerprint256, cluster };
}

function unreachable(host: string, port: number, why: string): HansaError {
  const [unknown] = /E(?:AI_AGAIN|NOTFOUND)/.exec(why) ?? [];
  if (unknown !== undefined) {
    const text = `the name ${host} has no address on this host (${unknown})`;
    const hint = "give the node's address, or write the name into /etc/hosts";
    return new HansaError("CONTEXT_UNREACHABLE", text, { hint });
  }
  return new HansaError("CONTEXT_UNREACHABLE", `${host} does not answer at ${port}/tcp (${why})`, {
    hint: "is it a node of the cluster, does hansa status work there, and is that port open from here?",
  });
}

/** Throws JOIN_FINGERPRINT_DIFFERS unless `wanted`, in hex with colons or without, is that of the node that was met. */
export function requireFingerprint({ host, fingerprint }: Met, wanted: string): void {
  const plain = (text: string): string => text.replaceAll(":", "").toUpperCase();
  if (plain(wanted) === plain(fingerprint)) return;
  throw new HansaError("JOIN_FINGERPRINT_DIFFERS", `${host} has the fingerprint ${fingerprint}`);
}

/** What a host can do with the token before it is a node. */
export interface Entry {
  /** Of the node at `host`, which must have a certificate of the cluster. */
  clientAt(host: string, port: number): NodeClient;
}

/**
 * Derives the cluster's authority and makes a certificate of this process's own. Undefined when the token is not that of who was met: nobody but us
 * knows then what was tried. Takes 0.3 s. Throws USAGE for an empty token.
 */
export async function enter(met: Met, token: string, name: string): Promise<Entry | undefined> {
  const root = await deriveRoot(token, met.cluster);
  const authority = await createAuthority(root, met.cluster);
  const signer = new X509Certificate(authority.certificate).publicKey;
  if (!met.certificate.verify(signer)) return undefined;
  const { certificate, privateKey, ca } = await authority.mint({
    ...{ name: `joiner ${name}`.slice(0, 64), names: [], addresses: [] },
    ...{ role: "admin", days: CALL_DAYS },
  });
  return {
    clientAt: (host, port) =>
      apiClient({
        place: host,
        // Only nodes have certificates that serve; which of them answers is no question of trust, and hosts have names that no certificate knows.
        open: () =>
          openTls(
            {
              ...{ host, port, ca, cert: certificate, key: privateKey },
              checkServerIdentity: () => undefined,
            },
            OPEN_MS,
          ),
        inOurWords: (error) => {
          if (error instanceof HansaError || !(error instanceof Error)) return error;
          return unreachable(host, port, error.message);
        },
      }),
  };
}
