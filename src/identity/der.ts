/**
 * DER, as much of it as certificates take (X.690): writing only. Pure.
 *
 * Invariant: what is written is the one encoding that DER allows for a value, so that a signature over it holds wherever it is read.
 */

const BOOLEAN = 0x01;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const UTF8_STRING = 0x0c;
const PRINTABLE_STRING = 0x13;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const SET = 0x31;
const CONTEXT = 0x80;
const CONSTRUCTED = 0x20;

/** From 1950 on years have two digits, until here (RFC 5280, section 4.1.2.5). */
const FIRST_LONG_YEAR = 2050;
/** What a PrintableString may have in it. */
const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?]*$/;

export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return value(SEQUENCE, Buffer.concat(parts));
}

/** Of one member: more would have to be sorted. */
export function setOfOne(part: Uint8Array): Uint8Array {
  return value(SET, part);
}

export function boolean(is: boolean): Uint8Array {
  return value(BOOLEAN, Uint8Array.of(is ? 0xff : 0));
}

/** A whole number from 0, as big-endian bytes of any length. */
export function integer(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  const least = first === -1 ? Uint8Array.of(0) : bytes.subarray(first);
  // The first bit is the sign.
  const isHigh = (least[0] ?? 0) > 0x7f;
  return value(INTEGER, isHigh ? Buffer.concat([Uint8Array.of(0), least]) : least);
}

/** Whole bytes of bits. */
export function bitString(bytes: Uint8Array): Uint8Array {
  return value(BIT_STRING, Buffer.concat([Uint8Array.of(0), bytes]));
}

/** Named bits, numbered from 0, of which the last is the last one written. */
export function namedBits(bits: readonly number[]): Uint8Array {
  const last = Math.max(...bits);
  const bytes = new Uint8Array(1 + (last >> 3));
  for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return value(BIT_STRING, Buffer.concat([Uint8Array.of(7 - (last & 7)), bytes]));
}

export function octetString(bytes: Uint8Array): Uint8Array {
  return value(OCTET_STRING, bytes);
}

/** `text`: "2.5.4.3", its first arc 0 to 2. */
export function objectIdentifier(text: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  return value(OBJECT_IDENTIFIER, Uint8Array.from([40 * first + second, ...rest].flatMap(base128)));
}

/** The plainest kind of string that can hold it. */
export function text(characters: string): Uint8Array {
  const kind = PRINTABLE.test(characters) ? PRINTABLE_STRING : UTF8_STRING;
  return value(kind, Buffer.from(characters, "utf8"));
}

/** To the second, UTC; from 1950 to 9999. */
export function time(date: Date): Uint8Array {
  const digits = `${date.toISOString().replace(/[-:T]|\.\d+Z$/g, "")}Z`;
  const isLong = date.getUTCFullYear() >= FIRST_LONG_YEAR;
  return value(
    isLong ? GENERALIZED_TIME : UTC_TIME,
    Buffer.from(isLong ? digits : digits.slice(2)),
  );
}

/** [number] IMPLICIT, of a value without parts. */
export function tagged(number: number, bytes: Uint8Array): Uint8Array {
  return value(CONTEXT | number, bytes);
}

/** [number] EXPLICIT. */
export function wrapped(number: number, part: Uint8Array): Uint8Array {
  return value(CONTEXT | CONSTRUCTED | number, part);
}

function value(tag: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(tag, ...lengthOf(content.length)), content]);
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  return [0x80 | bytes.length, ...bytes];
}

function base128(number: number): number[] {
  const digits = [number % 128];
  for (let left = Math.floor(number / 128); left > 0; left = Math.floor(left / 128)) {
    digits.unshift(0x80 | (left % 128));
  }
  return digits;
}
