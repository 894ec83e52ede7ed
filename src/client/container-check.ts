/** Light checks of what a daemon answers about containers (answer-check.ts says when they are used). */
import type { ContainerEvent, Containers } from "../api/container-schema.ts";
import type { ContainerUsage, ProcessTable } from "../values/container-usage.ts";
import {
  type Check,
  isBoolean,
  isNodeRef,
  isNumber,
  isText,
  listOf,
  orNull,
  record,
} from "./shape.ts";

const isContainerRow = record({
  node: isNodeRef,
  id: orNull(isText),
  group: orNull(isText),
  name: isText,
  dockerName: isText,
  image: isText,
  addresses: listOf(isText),
  ports: listOf(
    record({
      port: isNumber,
      protocol: isText,
      hostPort: orNull(isNumber),
      hostAddress: orNull(isText),
    }),
  ),
  dependsOn: listOf(isText),
  imageState: record({ state: isText, percent: orNull(isNumber), error: orNull(isText) }),
  engine: isText,
  engineState: orNull(isText),
  state: isText,
  stateSince: orNull(isText),
  exitCode: orNull(isNumber),
  error: orNull(isText),
});

const isContainerNode = record({
  id: isNumber,
  name: isText,
  reachable: isBoolean,
  asOf: orNull(isText),
  problem: orNull(record({ code: isText, message: isText })),
});

export const isContainers: Check<Containers> = record({
  nodes: listOf(isContainerNode),
  containers: listOf(isContainerRow),
});

const EVENTS: Readonly<Record<string, (value: unknown) => boolean>> = {
  all: isContainers,
  container: record({ container: isContainerRow }),
  gone: record({ node: isNumber, id: isText }),
  node: record({ node: isContainerNode }),
  "node-gone": record({ node: isNumber }),
};

export const isContainerEvent: Check<ContainerEvent> = (value): value is ContainerEvent => {
  const type = (value as { readonly type?: unknown } | null | undefined)?.type;
  return isText(type) && Object.hasOwn(EVENTS, type) && EVENTS[type]?.(value) === true;
};

export const isProcessTable: Check<ProcessTable> = record({
  titles: listOf(isText),
  processes: listOf(listOf(isText)),
});

export const isContainerUsage: Check<ContainerUsage> = record({
  readAt: isText,
  cpuPercent: isNumber,
  memory: isNumber,
  memoryLimit: isNumber,
  received: isNumber,
  sent: isNumber,
  blockRead: isNumber,
  blockWritten: isNumber,
  processes: isNumber,
});

/** What is at a path of a container; null for nothing. */
export interface FoundPath {
  /** As Go's os.FileMode. */
  readonly mode: number;
  /** Where a symbolic link leads; empty otherwise. */
  readonly linkTarget: string;
}

export const isFoundPath = (value: unknown): value is FoundPath | null =>
  orNull(record({ mode: isNumber, linkTarget: isText }))(value);
