import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createServer, type Server } from "node:tls";
import { isHansaError } from "../../errors.ts";
import { hansaPaths } from "../../processes/paths.ts";
import { type StoreTls, storeTls } from "../../store/store-tls.ts";
import { VoterPlace } from "./voter-place.ts";

let root: string;
let tls: StoreTls;
let etcd: Server;

before(async () => {
  root = await mkdtemp(join(tmpdir(), "hansa-fence-"));
  tls = await storeTls([new Uint8Array(32).fill(7)], ["127.0.0.1"]);
  // It says back what it is told, when it is told more: as an etcd that answers when others have it.
  etcd = createServer(
    { key: tls.key, cert: tls.cert, ca: [...tls.ca], requestCert: true, ALPNProtocols: ["h2"] },
    (socket) => {
      socket.on("error", () => socket.destroy());
      socket.on("data", (bytes) => socket.write(bytes));
    },
  );
  etcd.listen(0, "127.0.0.1");
  await once(etcd, "listening");
});
after(async () => {
  etcd.close();
  await rm(root, { recursive: true });
});

test("from the moment that it is fenced a voter answers nothing that was asked before, by anybody, and lets nobody in", async () => {
  const paths = hansaPaths({ HANSA_ROOT: root });
  await mkdir(join(paths.stateDir, "store"), { recursive: true });
  const store = { id: "3f1c0d2b9a8e7f65", name: "prod", generation: 1 };
  const record = { version: 1, store, settled: true };
  await writeFile(join(paths.stateDir, "store/store.json"), JSON.stringify(record));
  const { port } = etcd.address() as AddressInfo;
  const place = await VoterPlace.load({
    ...{ paths, folders: [], ports: { raft: 1, store: port }, ip: "127.0.0.1", name: "1-0" },
    tls: async () => tls,
  });
  const { mark, socket } = await place.dial();
  assert.equal(mark.id, store.id);
  socket.on("error", () => undefined);
  socket.write("a write");
  assert.equal(`${(await once(socket, "data"))[0]}`, "a write");
  const answers: Buffer[] = [];
  socket.on("data", (bytes: Buffer) => answers.push(bytes));
  const closed = once(socket, "close");
  socket.write("another one");
  place.isFenced = true;
  await closed;
  assert.deepEqual(answers, []);
  await assert.rejects(place.dial(), (error) => isHansaError(error, "STORE_UNREACHABLE"));
  assert.equal(await place.link(), undefined);
});
