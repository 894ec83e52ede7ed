/**
 * Files and folders of this machine as a tar archive, piece by piece.
 *
 * Invariant: holds one piece of one file and the names of one folder on each level; a file that grows or shrinks meanwhile keeps the size that its
 * header has.
 */
import { lstat, open, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { encodeTarHeader, TAR_END, type TarEntry, tarPadding } from "../streams/tar-header.ts";

const PIECE = 64 * 1024;

/** `path` under the name `name` in the archive, with all that is in it. `skipped` is told of what no archive holds: sockets, devices. */
export async function* packTar(
  path: string,
  name: string,
  skipped: (path: string) => void,
): AsyncGenerator<Buffer> {
  yield* packOne(path, name, skipped);
  yield TAR_END;
}

async function* packOne(
  path: string,
  name: string,
  skipped: (path: string) => void,
): AsyncGenerator<Buffer> {
  const found = await lstat(path);
  const entry: TarEntry = {
    ...{ type: "file", name, size: 0, target: "" },
    ...{ mode: found.mode & 0o7777, mtime: found.mtimeMs / 1_000 },
  };
  if (found.isFile()) {
    yield encodeTarHeader({ ...entry, size: found.size });
    yield* contents(path, found.size);
    yield tarPadding(found.size);
  } else if (found.isSymbolicLink()) {
    yield encodeTarHeader({ ...entry, type: "symlink", target: await readlink(path) });
  } else if (found.isDirectory()) {
    yield encodeTarHeader({ ...entry, type: "folder", name: `${name}/` });
    for (const each of (await readdir(path)).sort()) {
      yield* packOne(join(path, each), `${name}/${each}`, skipped);
    }
  } else {
    skipped(path);
  }
}

async function* contents(path: string, size: number): AsyncGenerator<Buffer> {
  const file = await open(path);
  try {
    for (let at = 0; at < size; ) {
      const { bytesRead, buffer } = await file.read(
        Buffer.allocUnsafe(Math.min(PIECE, size - at)),
        0,
      );
      if (bytesRead === 0) {
        for (; at < size; at += PIECE) yield Buffer.alloc(Math.min(PIECE, size - at));
        return;
      }
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}
