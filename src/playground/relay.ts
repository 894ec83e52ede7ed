/**
 * The relay between two hosts: holds each packet back for a while, or drops it.
 *
 * Invariant: packets of one direction leave in the order in which they came, and with one seed the same ones are lost.
 */

import { createSocket, type Socket } from "node:dgram";
import * as z from "zod";
import { seeded } from "../values/seeded-random.ts";

const settingsSchema = z.object({
  /** Loopback ports on which the packets of either side come in. */
  ports: z.tuple([z.number(), z.number()]),
  /** Loopback ports to which the packets for either side go. */
  peers: z.tuple([z.number(), z.number()]),
  ms: z.number().nonnegative(),
  /** Percent. */
  loss: z.number().min(0).max(100),
  seed: z.number(),
});

/** A router's queue: what comes when this many packets are under way is dropped. */
const MAX_UNDER_WAY = 20_000;

/** Runs until killed. `text` is the JSON of the settings; prints one line when both ports are bound. */
export async function runRelay(text: string): Promise<void> {
  const { ports, peers, ms, loss, seed } = settingsSchema.parse(JSON.parse(text));
  const sockets = [await listen(ports[0]), await listen(ports[1])] as const;
  const random = seeded(seed);
  let underWay = 0;
  const carry = (from: Socket, to: Socket, port: number): void => {
    const send = (packet: Buffer): void => {
      // An error here means that the other host is off: its packets are lost, as on a wire.
      to.send(packet, port, "127.0.0.1", () => {
        underWay -= 1;
      });
    };
    from.on("message", (packet) => {
      if (random() * 100 < loss || underWay >= MAX_UNDER_WAY) return;
      underWay += 1;
      if (ms === 0) send(packet);
      else setTimeout(send, ms, packet);
    });
  };
  carry(sockets[0], sockets[1], peers[1]);
  carry(sockets[1], sockets[0], peers[0]);
  process.stdout.write("ready\n");
}

async function listen(port: number): Promise<Socket> {
  const socket = createSocket({ type: "udp4", recvBufferSize: 4 * 1024 * 1024 });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("error", reject);
  socket.bind(port, "127.0.0.1", resolve);
  await promise;
  socket.off("error", reject);
  return socket;
}
