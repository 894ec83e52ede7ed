/** Ports for tests whose server cannot be told to take any: outside of those that the kernel gives to whoever wants any, so that nobody has it before it is used. */
import { createServer } from "node:net";

/** Linux gives away those from 32768 on. */
const [FIRST, END] = [20_000, 32_000];

/** A TCP port that was free just now, on all addresses of both families. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (END - FIRST));
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(false));
  server.listen(port, () => server.close(() => resolve(true)));
  return promise;
}
