/**
 * The headers of tar archives: POSIX ustar with pax extensions is written, those and GNU's long names are read. Pure.
 *
 * Invariant: decoding never throws, and never gives a size or a name beyond its bounds.
 */

export const TAR_BLOCK = 512;

export interface TarEntry {
  readonly type: "file" | "folder" | "symlink" | "hardlink" | "other";
  /** With slashes; a folder's may end with one. */
  readonly name: string;
  /** Bytes that follow, without their padding; 0 but for files. */
  readonly size: number;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Of links. */
  readonly target: string;
}

/** What a header says of the entry after it, or of itself. */
export type TarHeader =
  | { readonly kind: "entry"; readonly entry: TarEntry }
  /** `size` bytes follow that say more about the next entry. */
  | { readonly kind: "pax" | "long-name" | "long-target"; readonly size: number }
  /** `size` bytes follow that nobody needs. */
  | { readonly kind: "skip"; readonly size: number }
  /** A block of zeros: two of them end the archive. */
  | { readonly kind: "zeros" };

/** Extensions of one entry. */
export interface TarExtension {
  readonly name?: string;
  readonly target?: string;
  readonly size?: number;
}

/** The longest extension that is read. */
export const MAX_EXTENSION = 64 * 1024;
const MAX_NAME = 100;
const MAX_OCTAL_SIZE = 8 ** 11 - 1;
const TYPES = { file: "0", hardlink: "1", symlink: "2", folder: "5", other: "0" } as const;

/** The blocks before the bytes of `entry`. All belongs to root. */
export function encodeTarHeader(entry: TarEntry): Buffer {
  const records = [
    ...(Buffer.byteLength(entry.name) > MAX_NAME ? [paxRecord("path", entry.name)] : []),
    ...(Buffer.byteLength(entry.target) > MAX_NAME ? [paxRecord("linkpath", entry.target)] : []),
    ...(entry.size > MAX_OCTAL_SIZE ? [paxRecord("size", `${entry.size}`)] : []),
  ];
  const own = header(entry, TYPES[entry.type]);
  if (records.length === 0) return own;
  const pax = Buffer.concat(records);
  const before = header({ ...entry, name: "pax", target: "", size: pax.length, mode: 0o644 }, "x");
  return Buffer.concat([before, pax, tarPadding(pax.length), own]);
}

/** What fills the last block of so many bytes. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK);
}

/** The end of an archive. */
export const TAR_END = Buffer.alloc(2 * TAR_BLOCK);

function header({ name, size, mode, mtime, target }: TarEntry, type: string): Buffer {
  const bytes = Buffer.alloc(TAR_BLOCK);
  Buffer.from(name).copy(bytes, 0, 0, MAX_NAME);
  bytes.write(octal(mode & 0o7777, 7), 100, "latin1");
  bytes.write(octal(0, 7), 108, "latin1");
  bytes.write(octal(0, 7), 116, "latin1");
  bytes.write(octal(Math.min(size, MAX_OCTAL_SIZE), 11), 124, "latin1");
  bytes.write(octal(Math.min(Math.max(0, Math.floor(mtime)), MAX_OCTAL_SIZE), 11), 136, "latin1");
  bytes.write(type, 156, "latin1");
  Buffer.from(target).copy(bytes, 157, 0, MAX_NAME);
  bytes.write("ustar\x0000", 257, "latin1");
  bytes.write("root", 265, "latin1");
  bytes.write("root", 297, "latin1");
  bytes.write(`${octal(checksum(bytes), 6)}\0 `, 148, "latin1");
  return bytes;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

/** With its own length in front, which counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + `${rest}`.length;
  if (`${length}`.length !== `${rest}`.length) length = rest + `${length}`.length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

function checksum(bytes: Buffer): number {
  let sum = 0;
  for (const [at, byte] of bytes.entries()) sum += at >= 148 && at < 156 ? 0x20 : byte;
  return sum;
}

/** What a block of TAR_BLOCK bytes says, with the extensions that came before it; undefined for what is no header. */
export function decodeTarHeader(
  block: Buffer,
  extension: TarExtension = {},
): TarHeader | undefined {
  if (block.length !== TAR_BLOCK) return undefined;
  if (block.every((byte) => byte === 0)) return { kind: "zeros" };
  const told = numberAt(block, 148, 8);
  const size = numberAt(block, 124, 12);
  if (told !== checksum(block) || size === undefined) return undefined;
  const type = String.fromCharCode(block[156] ?? 0);
  switch (type) {
    case "x":
      return size > MAX_EXTENSION ? undefined : { kind: "pax", size };
    case "L":
      return size > MAX_EXTENSION ? undefined : { kind: "long-name", size };
    case "K":
      return size > MAX_EXTENSION ? undefined : { kind: "long-target", size };
    case "g":
      return { kind: "skip", size };
    default: {
      const kind = kindOf(type);
      const prefix = block.toString("latin1", 257, 262) === "ustar" ? textAt(block, 345, 155) : "";
      const short = textAt(block, 0, MAX_NAME);
      // GNU writes times where ustar has the prefix.
      const isGnu = block.toString("latin1", 257, 265) === "ustar  \0";
      const name = extension.name ?? (prefix === "" || isGnu ? short : `${prefix}/${short}`);
      const isFolder = kind === "folder" || (kind === "file" && name.endsWith("/"));
      const isFile = kind === "file" && !isFolder;
      return {
        kind: "entry",
        entry: {
          type: isFolder ? "folder" : kind,
          name,
          size: isFile || kind === "other" ? (extension.size ?? size) : 0,
          mode: (numberAt(block, 100, 8) ?? 0) & 0o7777,
          mtime: numberAt(block, 136, 12) ?? 0,
          target: extension.target ?? textAt(block, 157, MAX_NAME),
        },
      };
    }
  }
}

function kindOf(type: string): TarEntry["type"] {
  if (type === "0" || type === "\0" || type === "7") return "file";
  if (type === "5") return "folder";
  if (type === "2") return "symlink";
  return type === "1" ? "hardlink" : "other";
}

/** What the bytes after a pax header say; unknown keys are passed over. */
export function decodePax(bytes: Buffer): TarExtension {
  const found: { name?: string; target?: string; size?: number } = {};
  for (let at = 0; at < bytes.length; ) {
    const length = /^(\d{1,6}) /.exec(bytes.toString("latin1", at, at + 8));
    const end = at + Number(length?.[1] ?? 0);
    if (length === null || end <= at + length[0].length || end > bytes.length) break;
    const [, key = "", value = ""] =
      /^([^=]+)=([\s\S]*)\n$/.exec(bytes.toString("utf8", at + length[0].length, end)) ?? [];
    if (key === "path") found.name = value;
    else if (key === "linkpath") found.target = value;
    else if (key === "size" && /^\d{1,15}$/.test(value)) found.size = Number(value);
    at = end;
  }
  return found;
}

/** The text up to the first zero byte. */
export function tarText(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
}

function textAt(block: Buffer, at: number, length: number): string {
  return tarText(block.subarray(at, at + length));
}

/** Octal digits, or GNU's binary form with the first bit set; undefined for anything else and what no double holds. */
function numberAt(block: Buffer, at: number, length: number): number | undefined {
  const field = block.subarray(at, at + length);
  if (((field[0] ?? 0) & 0x80) !== 0) {
    let value = (field[0] ?? 0) & 0x7f;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
    return value <= Number.MAX_SAFE_INTEGER ? value : undefined;
  }
  const text = field.toString("latin1").replaceAll("\0", " ").trim();
  return /^[0-7]*$/.test(text) ? Number.parseInt(text || "0", 8) : undefined;
}
