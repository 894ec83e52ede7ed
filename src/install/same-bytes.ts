/** Whether two files are equal, also large ones: read side by side, a piece at a time. */
import { open, stat } from "node:fs/promises";
import { isErrno } from "../errors.ts";

const PIECE_BYTES = 1 << 20;

/** True when both files exist and hold the same bytes. Other system errors than ENOENT pass through. */
export async function sameBytes(one: string, other: string): Promise<boolean> {
  try {
    const [a, b] = await Promise.all([stat(one), stat(other)]);
    if (a.dev === b.dev && a.ino === b.ino) return true;
    return a.isFile() && b.isFile() && a.size === b.size && (await equalPieces(one, other));
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

async function equalPieces(one: string, other: string): Promise<boolean> {
  await using a = await open(one, "r");
  await using b = await open(other, "r");
  const [left, right] = [Buffer.alloc(PIECE_BYTES), Buffer.alloc(PIECE_BYTES)];
  for (let at = 0; ; at += PIECE_BYTES) {
    const [fromA, fromB] = await Promise.all([
      a.read(left, 0, PIECE_BYTES, at),
      b.read(right, 0, PIECE_BYTES, at),
    ]);
    if (fromA.bytesRead !== fromB.bytesRead) return false;
    if (!left.subarray(0, fromA.bytesRead).equals(right.subarray(0, fromB.bytesRead))) return false;
    if (fromA.bytesRead < PIECE_BYTES) return true;
  }
}
