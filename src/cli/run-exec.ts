/**
 * Runs a command in a container with this process's streams as its own.
 *
 * Invariant: a terminal that was made raw is restored before anything is said about how it ended.
 */
import type { ExecRequest } from "../api/reach-schemas.ts";
import type { ClientStream } from "../client/client-stream.ts";
import { HansaError, isHansaError } from "../errors.ts";
import type { Context } from "./command.ts";

/** The command's exit status. Throws STREAM_LOST when nobody knows it. */
export async function runExec(
  context: Context,
  container: string,
  request: Omit<ExecRequest, "size">,
): Promise<number> {
  const { console, client } = context;
  const size = request.tty ? console.size() : undefined;
  const stream = await client.stream({
    method: "POST",
    path: `/v1/containers/${encodeURIComponent(container)}/exec`,
    open: { ...request, ...(size && { size }) },
  });
  const restore = request.tty && request.stdin ? console.raw() : () => undefined;
  const forget = request.tty
    ? console.onResize(({ rows, columns }) => stream.resize(rows, columns))
    : () => undefined;
  try {
    if (request.stdin) void sendInput(context, stream);
    const outputs = (["stdout", "stderr"] as const).map(async (kind) => {
      try {
        for await (const bytes of stream.bytes(kind)) await console.write(kind, bytes);
      } catch (error) {
        // The stream's own failure, which the outcome tells, or one of our output, which ends the stream.
        stream.close(error as Error);
      }
    });
    await Promise.all(outputs);
    return await stream.outcome;
  } catch (error) {
    if (!isHansaError(error, "STREAM_LOST")) throw error;
    const where = stream.facts?.container ?? container;
    throw new HansaError(
      "STREAM_LOST",
      `the connection to ${where} was lost while the command ran: what it did until then stays, and whether it goes on is not known`,
      { cause: error },
    );
  } finally {
    forget();
    restore();
  }
}

async function sendInput({ console }: Context, stream: ClientStream): Promise<void> {
  try {
    for await (const chunk of console.input()) await stream.send("stdin", chunk);
    stream.end("stdin");
  } catch (error) {
    // The stream is over already, or our input cannot be read: either way the command is told no more.
    stream.close(error instanceof Error ? error : undefined);
  }
}
