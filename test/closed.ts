/** For tests that wait until a connection is over, however it ends. `once(socket, "close")` will not do: it rejects when there was an error before. */
import type { Socket } from "node:net";

/** Resolves when `socket` is closed, also by an error; being cut off in the middle of a write is one. What it still says is read. */
export async function closed(socket: Socket): Promise<void> {
  socket.on("error", () => socket.destroy());
  socket.resume();
  if (!socket.closed) await new Promise<void>((resolve) => socket.once("close", () => resolve()));
}
