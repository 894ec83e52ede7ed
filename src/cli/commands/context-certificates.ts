/** `hansa context issued` and `hansa context revoke`: who may reach the cluster from elsewhere, and that somebody may no more. */
import type { KnownCertificate, RevokeRequest } from "../../api/context-schemas.ts";
import { HansaError } from "../../errors.ts";
import type { Context, Words } from "../command.ts";
import { alignColumns } from "../output/align-columns.ts";
import { documentText, formatOf } from "../output/document-format.ts";

/** What the audit log and `openssl x509 -serial` print; colons as browsers have them. */
const SERIAL = /^([0-9A-Fa-f]{2}:?){15,19}[0-9A-Fa-f]{2}$/;

export async function listIssued(words: Words, context: Context): Promise<number> {
  const known = await context.client.certificates();
  const format = formatOf(words);
  if (format !== "table") {
    context.out(await documentText(known, format));
    return 0;
  }
  const lines = known.certificates.map((each) => [
    each.name ?? "-",
    each.role ?? "-",
    each.serial,
    each.madeAt?.slice(0, 10) ?? "-",
    each.madeBy ?? "-",
    each.node === null ? "-" : `${each.node}`,
    each.expiresAt.slice(0, 10),
    stateOf(each),
  ]);
  const head = ["HOLDER", "ROLE", "SERIAL", "MADE", "BY", "NODE", "EXPIRES", "STATE"];
  context.out(`${alignColumns([head, ...lines])}\n`);
  for (const { name, at, by } of known.holdersRevoked) {
    context.out(`whatever ${name} held before ${at} is revoked, by ${by}\n`);
  }
  return 0;
}

export async function revoke(
  _words: Words,
  context: Context,
  [what, ...rest]: readonly string[],
): Promise<number> {
  if (what === undefined || rest.length > 0) {
    throw new HansaError("USAGE", "expected argument(s): WHO or SERIAL", {
      hint: "hansa context issued lists both",
    });
  }
  const request: RevokeRequest = SERIAL.test(what)
    ? { serial: what.replaceAll(":", "").toLowerCase() }
    : { name: what };
  const { revoked, theirs, unreached } = await context.client.revokeCertificates(request);
  for (const { name, serial, role } of revoked) {
    context.out(`revoked: ${serial} of ${name} (${role})\n`);
  }
  if (request.name !== undefined) {
    context.out(`whatever ${request.name} held before now is refused\n`);
    if (revoked.length === 0) {
      context.note(
        `no node remembers a good certificate of ${request.name}: hansa context issued lists the holders`,
      );
    }
  } else if (revoked.length === 0) {
    context.out(`revoked: ${request.serial}, which no node remembers, or was revoked before\n`);
  }
  for (const { name, serial, madeBy } of theirs) {
    context.note(`still good: ${serial} of ${name}, which ${madeBy} had made`);
  }
  if (unreached.length > 0) {
    const names = unreached.map(({ name }) => name).join(", ");
    context.note(`not confirmed by ${names}: refused there as soon as they hear of it`);
  }
  return 0;
}

function stateOf({ revoked, expiresAt }: KnownCertificate): string {
  if (revoked !== null) return `revoked ${revoked.at.slice(0, 10)} by ${revoked.by}`;
  return Date.parse(expiresAt) < Date.now() ? "expired" : "good";
}
