/** `hansa cp`: files between this machine and any container. */
import { HansaError, isErrno } from "../../errors.ts";
import type { Command } from "../command.ts";
import { usage } from "../parse-words.ts";

export const cp: Command = {
  name: "cp",
  summary: "copy files between this machine and a container, on whichever node it is",
  details: `One of both is CONTAINER:PATH, with a path that begins at the container's root. As with docker cp: into a folder
that exists a source goes under its own name, else it takes the name that is given; SOURCE/. means what is in it. - is
a tar archive on standard input or output. Modes and times are kept; files belong to root in the container and to
whoever runs this here, without set-user-id and set-group-id bits. Devices and pipes are left out, and told.`,
  operands: { name: "SOURCE DESTINATION", min: 2, max: 2, completes: "files" },
  options: [],
  examples: [
    "cp web:/etc/nginx ./nginx",
    "cp site/. web:/usr/share/nginx/html",
    "cp host2/db:/dump - > dump.tar",
  ],
  async run({ operands }, context) {
    const [source = "", destination = ""] = operands;
    const { parsePlace, copyIn, copyOut } = await import("../run-cp.ts");
    const [from, to] = [parsePlace(source), parsePlace(destination)];
    try {
      if (from.container !== undefined && to.container === undefined) {
        return await copyOut(context, from.container, from.path, to.path);
      }
      if (from.container === undefined && to.container !== undefined) {
        return await copyIn(context, from.path, to.container, to.path);
      }
    } catch (error) {
      throw ofThisMachine(error) ?? error;
    }
    throw usage(cp, "one of SOURCE and DESTINATION has to be CONTAINER:PATH, and the other not");
  },
};

/** A file that may not be read or written here, or a full disk, in a sentence. */
function ofThisMachine(error: unknown): HansaError | undefined {
  const { path, message } = error as { readonly path?: unknown; readonly message?: string };
  const isOfFiles =
    error instanceof Error &&
    "syscall" in error &&
    (typeof path === "string" || isErrno(error, "ENOSPC"));
  if (!isOfFiles) return undefined;
  return new HansaError("USAGE", `the copy ended on this machine: ${message}`, {
    hint: "name a place that you may read and write, with room enough; what was whole until then stays",
    cause: error,
  });
}
