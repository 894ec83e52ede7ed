/**
 * What we add to a push/pull: the address rings, every node's row of connections and names, who is gone for good, and which certificates
 * there are and are called back.
 *
 * All parts carry their own versions and merge by them, so the order of exchanges does not matter.
 */

const VERSION = 1;

export interface SharedState {
  /** Encoded by ipam/ring-codec. */
  readonly rings: Uint8Array;
  /** Encoded by membership/connection-rows, one element a node. */
  readonly rows: readonly Uint8Array[];
  /** Encoded by names/name-set, one element a node. */
  readonly names: readonly Uint8Array[];
  /** Encoded by membership/departures. */
  readonly departures: Uint8Array;
  /** Encoded by certificates/certificate-record. */
  readonly certificates: Uint8Array;
}

/** At most this many rows, and as many sets of names, are read from one exchange. */
const MAX_ROWS = 65535;

/**
 * Version byte, u32 length and rings, u16 count, then each row with a u16 length; u16 count, then each set of names with a u32 length;
 * then the departures and the certificates as such lists of one; big endian. Parts that come after are not read by who does not know them.
 */
export function encodeSharedState(state: SharedState): Uint8Array {
  const head = Buffer.alloc(5);
  head[0] = VERSION;
  head.writeUInt32BE(state.rings.length, 1);
  return Buffer.concat([
    head,
    state.rings,
    ...listParts(state.rows, 2),
    ...listParts(state.names, 4),
    ...listParts([state.departures], 4),
    ...listParts([state.certificates], 4),
  ]);
}

/** The state in `bytes`, or undefined when it is empty, of another version, or cut short. */
export function decodeSharedState(bytes: Uint8Array): SharedState | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < 7 || view[0] !== VERSION) return undefined;
  const ringEnd = 5 + view.readUInt32BE(1);
  const rows = readList(view, ringEnd, 2);
  if (!rows) return undefined;
  const names = readLaterList(view, rows.end);
  const departures = names && readLaterList(view, names.end);
  const certificates = departures && readLaterList(view, departures.end);
  return (
    certificates && {
      rings: bytes.subarray(5, ringEnd),
      rows: rows.parts,
      names: names.parts,
      departures: departures.parts[0] ?? new Uint8Array(0),
      certificates: certificates.parts[0] ?? new Uint8Array(0),
    }
  );
}

/** A list that nodes of earlier versions do not tell. */
function readLaterList(view: Buffer, start: number): ReturnType<typeof readList> {
  return start === view.length ? { parts: [], end: start } : readList(view, start, 4);
}

/** A u16 count, and each part after its length, which has so many bytes. */
function listParts(parts: readonly Uint8Array[], lengthBytes: number): Uint8Array[] {
  const count = Buffer.alloc(2);
  count.writeUInt16BE(Math.min(parts.length, MAX_ROWS));
  return [
    count,
    ...parts.slice(0, MAX_ROWS).flatMap((part) => {
      const length = Buffer.alloc(lengthBytes);
      length.writeUIntBE(part.length, 0, lengthBytes);
      return [length, part];
    }),
  ];
}

function readList(
  view: Buffer,
  start: number,
  lengthBytes: number,
): { readonly parts: readonly Uint8Array[]; readonly end: number } | undefined {
  if (start + 2 > view.length) return undefined;
  const count = view.readUInt16BE(start);
  const parts: Uint8Array[] = [];
  let at = start + 2;
  for (let index = 0; index < count; index += 1) {
    if (at + lengthBytes > view.length) return undefined;
    const end = at + lengthBytes + view.readUIntBE(at, lengthBytes);
    if (end > view.length) return undefined;
    parts.push(view.subarray(at + lengthBytes, end));
    at = end;
  }
  return { parts, end: at };
}
