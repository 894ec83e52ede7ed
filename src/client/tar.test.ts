import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { isHansaError } from "../errors.ts";
import {
  decodePax,
  decodeTarHeader,
  encodeTarHeader,
  TAR_BLOCK,
  TAR_END,
  type TarEntry,
  tarPadding,
} from "../streams/tar-header.ts";
import { packTar } from "./pack-tar.ts";
import { unpackTar } from "./unpack-tar.ts";

const FILE: TarEntry = { type: "file", name: "a", size: 0, mode: 0o644, mtime: 0, target: "" };
const progress = (): void => undefined;

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "hansa-tar-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function* cut(bytes: Buffer, piece: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
}

test("a header comes out as it went in, with names and sizes of any length", () => {
  const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 200 });
  const clean = name.map((text) => `n${text.replaceAll("\0", "").replaceAll("/", "")}`);
  fc.assert(
    fc.property(clean, clean, fc.nat(2 ** 40), fc.nat(0o7777), (path, target, size, mode) => {
      const entry: TarEntry = { ...FILE, name: path, target, size, mode, mtime: 1_700_000_000 };
      const bytes = encodeTarHeader(entry);
      assert.equal(bytes.length % TAR_BLOCK, 0);
      const first = decodeTarHeader(bytes.subarray(0, TAR_BLOCK));
      if (first?.kind !== "pax") {
        assert.deepEqual(first, { kind: "entry", entry });
        return;
      }
      const said = decodePax(bytes.subarray(TAR_BLOCK, TAR_BLOCK + first.size));
      const last = decodeTarHeader(bytes.subarray(-TAR_BLOCK), said);
      assert.deepEqual(last, { kind: "entry", entry });
    }),
    { numRuns: 200 },
  );
});

test("what is packed and unpacked again has the same bytes, modes and links, and the system's tar agrees", async () => {
  await inFolder(async (folder) => {
    const source = join(folder, "source");
    const deep = join(source, "x".repeat(90), "y".repeat(90));
    await mkdir(deep, { recursive: true });
    await writeFile(join(source, "run.sh"), "#!/bin/sh\n");
    await chmod(join(source, "run.sh"), 0o4755);
    await writeFile(join(deep, "big"), Buffer.alloc(300_000, "abc"));
    await symlink("run.sh", join(source, "link"));
    await chmod(join(source, "x".repeat(90)), 0o500);
    const pieces: Buffer[] = [];
    for await (const piece of packTar(source, "top", () => assert.fail())) pieces.push(piece);
    const archive = Buffer.concat(pieces);
    const target = join(folder, "target");
    const { entries } = await unpackTar(cut(archive, 777), { target, progress });
    assert.equal(entries, 6);
    const mode = async (path: string) => (await lstat(join(target, path))).mode & 0o7777;
    // What lends somebody's power is not kept.
    assert.equal(await mode("run.sh"), 0o755);
    assert.equal(await mode("x".repeat(90)), 0o500);
    assert.equal(await readlink(join(target, "link")), "run.sh");
    const big = await readFile(join(target, "x".repeat(90), "y".repeat(90), "big"));
    assert.ok(big.equals(Buffer.alloc(300_000, "abc")));
    const listed = execFileSync("tar", ["-tf", "-"], { input: archive }).toString().split("\n");
    assert.ok(listed.includes("top/run.sh") && listed.length === 7);
    const theirs = execFileSync("tar", ["-C", folder, "-cf", "-", "source"]);
    const again = await unpackTar(cut(theirs, 10_000), { target: join(folder, "two"), progress });
    assert.equal(again.entries, 6);
    await chmod(join(target, "x".repeat(90)), 0o700);
    await chmod(join(source, "x".repeat(90)), 0o700);
    await chmod(join(folder, "two", "x".repeat(90)), 0o700);
  });
});

test("no archive writes outside of its place: not upwards, not from the root, not through links", async () => {
  await inFolder(async (folder) => {
    const evil = (text: string, name: string) => [
      encodeTarHeader({ ...FILE, name, size: text.length }),
      Buffer.from(text),
      tarPadding(text.length),
    ];
    const up = encodeTarHeader({ ...FILE, type: "symlink", name: "top/out", target: folder });
    const top = encodeTarHeader({ ...FILE, type: "folder", name: "top/", mode: 0o755 });
    const hard = encodeTarHeader({ ...FILE, type: "hardlink", name: "top/h", target: "top/../x" });
    const archives = [
      [top, ...evil("bad", "top/../bad")],
      [top, ...evil("bad", "/bad")],
      [top, up, ...evil("bad", "top/out/bad")],
      [top, hard],
      [top, ...evil("cut short", "top/file").slice(0, 1)],
      [Buffer.from("this is no archive")],
    ];
    for (const [index, parts] of archives.entries()) {
      const target = join(folder, `place${index}`);
      const bytes = Buffer.concat(index < 4 ? [...parts, TAR_END] : parts);
      await assert.rejects(unpackTar(cut(bytes, 100), { target, progress }), (error) =>
        isHansaError(error, "ARCHIVE_INVALID"),
      );
      await assert.rejects(lstat(join(folder, "bad")));
      await assert.rejects(lstat(join(target, "file")));
    }
  });
});

test("an archive for the root of the file system is held to the same", async () => {
  // What it names is there already and no folder, so that nothing is written.
  const entry = encodeTarHeader({ ...FILE, name: "top/proc/version/x" });
  const bytes = Buffer.concat([entry, TAR_END]);
  await assert.rejects(unpackTar(cut(bytes, 512), { target: "/", progress }), (error) =>
    isHansaError(error, "ARCHIVE_INVALID"),
  );
});
