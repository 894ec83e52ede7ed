/** The routes of the store: its making, its voters, and the configuration in it. */
import { z } from "zod";
import type { ErrorCode } from "../errors.ts";
import { BODY_ERRORS, type Route, route } from "./route.ts";
import {
  configEntriesSchema,
  configEntrySchema,
  configKeySchema,
  configPrefixSchema,
  configPutSchema,
  configWrittenSchema,
  createStoreSchema,
  startVoterSchema,
  storeSchema,
  voterSchema,
} from "./store-schemas.ts";

const USE_ERRORS: readonly ErrorCode[] = [
  "STORE_NONE",
  "STORE_NO_QUORUM",
  "STORE_UNREACHABLE",
  "NODE_UNREACHABLE",
];
const BEGIN_ERRORS: readonly ErrorCode[] = [
  "PORT_TAKEN",
  "STATE_UNWRITABLE",
  "SYSTEMD_FAILED",
  "TOOL_MISSING",
];

export const STORE_ROUTES: readonly Route[] = [
  route({
    method: "get",
    path: "/v1/store",
    operation: "getStore",
    summary:
      "The store of the cluster's configuration: its voters, who leads, and whether a majority answers",
    response: storeSchema,
    errors: USE_ERRORS,
    handle: (node) => node.store.view(),
  }),
  route({
    method: "post",
    path: "/v1/store",
    operation: "createStore",
    role: "admin",
    summary: "Makes the store, with the vote of this node; nodes 1 to 4 take theirs by themselves",
    request: createStoreSchema,
    response: storeSchema,
    errors: [...BODY_ERRORS, ...BEGIN_ERRORS, "STORE_EXISTS", "STORE_REFUSED", ...USE_ERRORS],
    handle: (node, { name }) => node.store.create(name),
  }),
  route({
    method: "get",
    path: "/v1/store/voter",
    operation: "getVoter",
    role: "node",
    summary: "What this node's part of the store says of itself",
    response: voterSchema,
    errors: USE_ERRORS,
    handle: (node) => node.store.voter(),
  }),
  route({
    method: "post",
    path: "/v1/store/start",
    operation: "startVoter",
    role: "node",
    summary: "Has this node take part in the store, as the member that it was made",
    request: startVoterSchema,
    response: z.object({}),
    errors: [...BODY_ERRORS, ...BEGIN_ERRORS, "STORE_OTHER"],
    handle: (node, request) => node.store.start(request),
  }),
  route({
    method: "post",
    path: "/v1/config/get",
    operation: "getConfig",
    role: "viewer",
    summary: "One entry of the configuration",
    request: configKeySchema,
    response: configEntrySchema,
    errors: [...BODY_ERRORS, ...USE_ERRORS],
    handle: (node, request) => node.store.get(request),
  }),
  route({
    method: "post",
    path: "/v1/config/list",
    operation: "listConfig",
    role: "viewer",
    summary: "The entries of the configuration whose keys begin so",
    request: configPrefixSchema,
    response: configEntriesSchema,
    errors: [...BODY_ERRORS, ...USE_ERRORS],
    handle: (node, request) => node.store.list(request),
  }),
  route({
    method: "post",
    path: "/v1/config/put",
    operation: "putConfig",
    role: "admin",
    summary: "Writes an entry of the configuration, if asked only in place of a certain revision",
    request: configPutSchema,
    response: configWrittenSchema,
    errors: [...BODY_ERRORS, ...USE_ERRORS, "STORE_FULL", "STORE_REFUSED"],
    handle: (node, request) => node.store.put(request),
  }),
  route({
    method: "post",
    path: "/v1/config/remove",
    operation: "removeConfig",
    role: "admin",
    summary: "Removes an entry of the configuration",
    request: configKeySchema,
    response: configWrittenSchema,
    errors: [...BODY_ERRORS, ...USE_ERRORS, "STORE_REFUSED"],
    handle: (node, request) => node.store.remove(request),
  }),
];
