/** A tar archive of small text files (POSIX ustar, IEEE 1003.1-1988). Pure. */

export interface ArchivedFile {
  /** Relative, with slashes; at most 255 bytes, of which the last name has at most 100. */
  readonly path: string;
  readonly text: string;
}

const BLOCK = 512;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;

/** The whole archive; files are 0600 and of `wallMs`. Throws RangeError for a path that does not fit. */
export function tarArchive(files: readonly ArchivedFile[], wallMs: number): Buffer {
  const parts = files.flatMap(({ path, text }) => {
    const body = Buffer.from(text, "utf8");
    const rest = (BLOCK - (body.length % BLOCK)) % BLOCK;
    return [header(path, body.length, wallMs), body, Buffer.alloc(rest)];
  });
  // Two empty blocks are its end.
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header(path: string, size: number, wallMs: number): Buffer {
  const { prefix, name } = split(path);
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0);
  block.write(octal(0o600, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(Math.floor(wallMs / 1000), 11), 136);
  // The checksum counts its own field as spaces.
  block.write("        ", 148);
  block.write("0", 156);
  block.write("ustar\u000000", 257);
  block.write(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\u0000 `, 148);
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

/** A long path is cut at a slash: the prefix stands in a field of its own. */
function split(path: string): { readonly prefix: string; readonly name: string } {
  if (Buffer.byteLength(path) <= NAME_BYTES) return { prefix: "", name: path };
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    const fits = Buffer.byteLength(prefix) <= PREFIX_BYTES && Buffer.byteLength(name) <= NAME_BYTES;
    if (fits && name !== "") return { prefix, name };
  }
  throw new RangeError(`the path ${path} does not fit into a tar archive`);
}
