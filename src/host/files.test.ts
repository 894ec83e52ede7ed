import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isErrno, isHansaError } from "../errors.ts";
import {
  atomicWrite,
  atomicWriteSync,
  ensureDir,
  moveFolder,
  readIfExists,
  readJson,
} from "./files.ts";

async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "hansa-files-"));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

test("a file is replaced whole, with exactly the mode that was asked for", async () => {
  await withDirectory(async (directory) => {
    const path = join(directory, "state");
    const mask = process.umask(0o077);
    try {
      for (const [text, mode] of [
        ["one", 0o600],
        ["two", 0o644],
      ] as const) {
        await atomicWrite(path, text, mode);
        assert.equal(await readFile(path, "utf8"), text);
        assert.equal((await stat(path)).mode & 0o777, mode);
        atomicWriteSync(path, `${text} sync`, mode);
        assert.equal(await readFile(path, "utf8"), `${text} sync`);
        assert.equal((await stat(path)).mode & 0o777, mode);
      }
    } finally {
      process.umask(mask);
    }
    assert.deepEqual(await readdir(directory), ["state"]);
  });
});

test("a write that fails leaves the old file and no temporary one", async () => {
  await withDirectory(async (directory) => {
    const path = join(directory, "taken");
    await ensureDir(path, 0o700);
    // A directory cannot be replaced by a file: the rename fails after everything was written.
    await assert.rejects(atomicWrite(path, "x", 0o600), (error) => isErrno(error, "EISDIR"));
    assert.throws(
      () => atomicWriteSync(path, "x", 0o600),
      (error) => isErrno(error, "EISDIR"),
    );
    assert.deepEqual(await readdir(directory), ["taken"]);
    const missing = join(directory, "none/file");
    await assert.rejects(atomicWrite(missing, "x", 0o600), (error) => isErrno(error, "ENOENT"));
  });
});

test("a reader during many writes sees one of them whole", async () => {
  await withDirectory(async (directory) => {
    const path = join(directory, "state");
    const versions = ["a", "b", "c"].map((letter) => letter.repeat(100_000));
    await atomicWrite(path, versions[0] ?? "", 0o600);
    let done = false;
    const writing = Promise.all(versions.map((text) => atomicWrite(path, text, 0o600))).then(() => {
      done = true;
    });
    while (!done) assert.ok(versions.includes(await readFile(path, "utf8")));
    await writing;
  });
});

test("what is not there is undefined; what cannot be read is the system's error", async () => {
  await withDirectory(async (directory) => {
    assert.equal(await readIfExists(join(directory, "none")), undefined);
    assert.equal(await readJson(join(directory, "none")), undefined);
    await assert.rejects(readIfExists(directory), (error) => isErrno(error, "EISDIR"));
  });
});

test("JSON goes through the schema, and damage is named without quoting it", async () => {
  await withDirectory(async (directory) => {
    const path = join(directory, "state.json");
    const schema = {
      parse: (value: unknown): number =>
        typeof value === "number" ? value : assert.fail("no number"),
    };
    await atomicWrite(path, "42", 0o600);
    assert.equal(await readJson(path, schema), 42);
    for (const text of ["my-secret", '{"token":"my-secret"', '"my-secret"', ""]) {
      await writeFile(path, text);
      await assert.rejects(readJson(path, schema), (error) => {
        assert.ok(isHansaError(error, "STATE_DAMAGED"));
        return error.message.includes(path) && !error.message.includes("my-secret");
      });
    }
  });
});

test("a new directory gets the mode, an old one keeps its own", async () => {
  await withDirectory(async (directory) => {
    const path = join(directory, "a/b");
    await ensureDir(path, 0o750);
    assert.equal((await stat(path)).mode & 0o777, 0o750);
    await ensureDir(path, 0o700);
    assert.equal((await stat(path)).mode & 0o777, 0o750);
  });
});

test("a folder is moved within a file system and to another one, whole", async () => {
  await withDirectory(async (directory) => {
    const [from, to] = [join(directory, "from"), join(directory, "to")];
    await mkdir(join(from, "member"), { recursive: true });
    await writeFile(join(from, "member/wal"), "log");
    await moveFolder(from, to);
    await moveFolder(to, from, () =>
      Promise.reject(Object.assign(new Error("cross-device link"), { code: "EXDEV" })),
    );
    assert.deepEqual(await readdir(directory), ["from"]);
    assert.equal(await readFile(join(from, "member/wal"), "utf8"), "log");
  });
});
