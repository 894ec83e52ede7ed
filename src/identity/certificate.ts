/**
 * Certificates of P-256 keys (X.509 version 3, RFC 5280), written and signed.
 *
 * Ours are of two kinds with few parts. Written here because the library that reads requests costs a process 0.1 s of processor time at the first
 * certificate and half of that at each one after, which is a third of what a node takes to join; the test holds what is written to that library's.
 */
import { createHash, type KeyObject, randomBytes, sign } from "node:crypto";
import { ipToBytes } from "../values/ip-bytes.ts";
import {
  bitString,
  boolean,
  integer,
  namedBits,
  objectIdentifier,
  octetString,
  sequence,
  setOfOne,
  tagged,
  text,
  time,
  wrapped,
} from "./der.ts";

/** In this order. */
export interface CertificateName {
  readonly commonName: string;
  readonly organization: string;
  readonly unit?: string | undefined;
}

export interface CertificateContent {
  /** Hex, positive; default: 16 random bytes. */
  readonly serial?: string | undefined;
  readonly subject: CertificateName;
  readonly issuer: CertificateName;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Of the subject: P-256. */
  readonly publicKey: KeyObject;
  /** What it is for: to sign certificates, to speak as a client, or as both. */
  readonly use: "authority" | "client" | "both";
  /** Of `both`. */
  readonly names: readonly string[];
  /** Of `both`: IPv4 and IPv6 literals. */
  readonly addresses: readonly string[];
  /** P-256. */
  readonly issuerKey: KeyObject;
}

const ECDSA_SHA256 = sequence(objectIdentifier("1.2.840.10045.4.3.2"));
const VERSION_3 = wrapped(0, integer(Uint8Array.of(2)));
const COMMON_NAME = "2.5.4.3";
const ORGANIZATION = "2.5.4.10";
const UNIT = "2.5.4.11";
const SUBJECT_KEY = "2.5.29.14";
const KEY_USAGE = "2.5.29.15";
const ALTERNATIVE_NAMES = "2.5.29.17";
const BASIC_CONSTRAINTS = "2.5.29.19";
const AUTHORITY_KEY = "2.5.29.35";
const EXTENDED_KEY_USAGE = "2.5.29.37";
const SERVER = objectIdentifier("1.3.6.1.5.5.7.3.1");
const CLIENT = objectIdentifier("1.3.6.1.5.5.7.3.2");
/** Bits of the key usage. */
const DIGITAL_SIGNATURE = 0;
const CERTIFICATE_SIGN = 5;
const REVOCATION_SIGN = 6;
/** Kinds of an alternative name. */
const DNS = 2;
const ADDRESS = 7;
/** An uncompressed point of P-256, which its DER ends with. */
const POINT_BYTES = 65;

/** The certificate in PEM, with a newline at its end. `signingKey`: the private part of `issuerKey`. */
export function signedCertificate(content: CertificateContent, signingKey: KeyObject): string {
  const body = certificateBody(content);
  const signature = sign("sha256", body, signingKey);
  const der = Buffer.from(sequence(body, ECDSA_SHA256, bitString(signature)));
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** What is signed of it: its TBSCertificate. */
export function certificateBody(content: CertificateContent): Uint8Array {
  const { serial, subject, issuer, notBefore, notAfter, publicKey } = content;
  return sequence(
    VERSION_3,
    integer(serial === undefined ? serialNumber() : bytesOf(serial)),
    ECDSA_SHA256,
    nameOf(issuer),
    sequence(time(notBefore), time(notAfter)),
    nameOf(subject),
    spkiOf(publicKey),
    wrapped(3, sequence(...extensionsOf(content))),
  );
}

function extensionsOf(content: CertificateContent): Uint8Array[] {
  const { use, publicKey, issuerKey } = content;
  const isAuthority = use === "authority";
  const constraints = isAuthority ? [boolean(true), integer(Uint8Array.of(0))] : [];
  const usage = isAuthority ? [CERTIFICATE_SIGN, REVOCATION_SIGN] : [DIGITAL_SIGNATURE];
  const first = [
    extension(BASIC_CONSTRAINTS, sequence(...constraints), true),
    extension(KEY_USAGE, namedBits(usage), true),
  ];
  const subjectKey = extension(SUBJECT_KEY, octetString(keyId(publicKey)));
  if (isAuthority) return [...first, subjectKey];
  const isBoth = use === "both";
  return [
    ...first,
    extension(EXTENDED_KEY_USAGE, sequence(CLIENT, ...(isBoth ? [SERVER] : []))),
    ...(isBoth ? [extension(ALTERNATIVE_NAMES, sequence(...alternativeNames(content)))] : []),
    subjectKey,
    // By key id only: issuer and serial would tie the leaf to one peer's CA certificate.
    extension(AUTHORITY_KEY, sequence(tagged(0, keyId(issuerKey)))),
  ];
}

function extension(id: string, content: Uint8Array, isCritical = false): Uint8Array {
  const critical = isCritical ? [boolean(true)] : [];
  return sequence(objectIdentifier(id), ...critical, octetString(content));
}

function alternativeNames({ names, addresses }: CertificateContent): Uint8Array[] {
  return [
    ...names.map((name) => tagged(DNS, Buffer.from(name, "latin1"))),
    ...addresses
      .map(ipToBytes)
      .filter((bytes) => bytes !== undefined)
      .map((bytes) => tagged(ADDRESS, bytes)),
  ];
}

function nameOf({ commonName, organization, unit }: CertificateName): Uint8Array {
  const part = (id: string, words: string): Uint8Array =>
    setOfOne(sequence(objectIdentifier(id), text(words)));
  return sequence(
    part(COMMON_NAME, commonName),
    part(ORGANIZATION, organization),
    ...(unit === undefined ? [] : [part(UNIT, unit)]),
  );
}

function spkiOf(publicKey: KeyObject): Buffer {
  return publicKey.export({ format: "der", type: "spki" });
}

/** SHA-1 of the key's bits, as RFC 5280 proposes it: a name, and no proof of anything. */
function keyId(publicKey: KeyObject): Uint8Array {
  return createHash("sha1").update(spkiOf(publicKey).subarray(-POINT_BYTES)).digest();
}

/** 16 random bytes, the first bit clear: serials are positive (RFC 5280). */
function serialNumber(): Uint8Array {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}

function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
}
