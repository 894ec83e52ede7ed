/** Asks an application over a connection of its own, as a client does. For tests. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Application } from "./exchange.ts";

/** What `app` answers to a request for `path`. */
export async function askApplication(
  app: Application,
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  const server = createServer((request, response) => app.answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, init);
    return new Response(await answer.arrayBuffer(), answer);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
