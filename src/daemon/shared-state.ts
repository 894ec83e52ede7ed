/**
 * What we add to a push/pull: the address rings and every node's row of connections.
 *
 * Both parts carry their own versions and merge by them, so the order of exchanges does not matter.
 */

const VERSION = 1;

export interface SharedState {
  /** Encoded by ipam/ring-codec. */
  readonly rings: Uint8Array;
  /** Encoded by membership/connection-rows, one element a node. */
  readonly rows: readonly Uint8Array[];
}

/** At most this many rows are read from one exchange. */
const MAX_ROWS = 65535;

/** Version byte, u32 length and rings, u16 count, then each row with a u16 length; big endian. */
export function encodeSharedState(state: SharedState): Uint8Array {
  const size = state.rows.reduce(
    (sum, row) => sum + 2 + row.length,
    1 + 4 + state.rings.length + 2,
  );
  const bytes = Buffer.allocUnsafe(size);
  bytes[0] = VERSION;
  bytes.writeUInt32BE(state.rings.length, 1);
  bytes.set(state.rings, 5);
  let at = 5 + state.rings.length;
  bytes.writeUInt16BE(Math.min(state.rows.length, MAX_ROWS), at);
  at += 2;
  for (const row of state.rows.slice(0, MAX_ROWS)) {
    bytes.writeUInt16BE(row.length, at);
    bytes.set(row, at + 2);
    at += 2 + row.length;
  }
  return bytes;
}

/** The state in `bytes`, or undefined when it is empty, of another version, or cut short. */
export function decodeSharedState(bytes: Uint8Array): SharedState | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < 7 || view[0] !== VERSION) return undefined;
  const ringEnd = 5 + view.readUInt32BE(1);
  if (ringEnd + 2 > view.length) return undefined;
  const count = view.readUInt16BE(ringEnd);
  const rows: Uint8Array[] = [];
  let at = ringEnd + 2;
  for (let index = 0; index < count; index += 1) {
    if (at + 2 > view.length) return undefined;
    const end = at + 2 + view.readUInt16BE(at);
    if (end > view.length) return undefined;
    rows.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return { rings: bytes.subarray(5, ringEnd), rows };
}
