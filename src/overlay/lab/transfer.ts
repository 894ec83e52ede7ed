/** `receive PORT` takes one connection and prints its byte count and sender; `send HOST PORT BYTES` sends and waits for the end. */
import { connect, createServer } from "node:net";

const [mode, ...rest] = process.argv.slice(2);

if (mode === "receive") {
  let bytes = 0;
  const server = createServer((socket) => {
    const from = socket.remoteAddress;
    socket.on("data", (chunk) => {
      bytes += chunk.length;
    });
    socket.on("end", () => {
      process.stdout.write(`${bytes} ${from}\n`);
      socket.end();
      server.close();
    });
  });
  server.listen(Number(rest[0]), "0.0.0.0");
} else {
  const [host = "", port, total] = rest;
  const block = Buffer.alloc(1 << 20, 0x68);
  let left = Number(total);
  const socket = connect({ host, port: Number(port), timeout: 30_000 });
  const fill = (): void => {
    while (left > 0) {
      const size = Math.min(left, block.length);
      left -= size;
      if (!socket.write(block.subarray(0, size))) return;
    }
    socket.end();
  };
  socket.on("connect", fill);
  socket.on("drain", fill);
  socket.on("timeout", () => socket.destroy(new Error("no progress")));
  socket.resume();
}
