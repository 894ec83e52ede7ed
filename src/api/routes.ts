/**
 * The one table of routes under /v1: the API serves it, the OpenAPI document and docs/reference/api.md are made from it.
 */
import { CLUSTER_ROUTES } from "./cluster-routes.ts";
import { BODY_ERRORS, eventRoute, type Route, route } from "./route.ts";
import { STORE_ROUTES } from "./store-routes.ts";

/** Schemas are made when the first body is to be checked: to make them all would be a tenth of a daemon's start. */
const address = () => import("./address-schemas.ts");
const container = () => import("./container-schema.ts");
const context = () => import("./context-schemas.ts");
const doctor = () => import("./doctor-schema.ts");
const inspection = () => import("./inspection-schema.ts");
const join = () => import("./join-schemas.ts");
const report = () => import("./report-schema.ts");
const common = () => import("./request-schemas.ts");
const status = () => import("./status-schema.ts");

export type { Route } from "./route.ts";

export const ROUTES: readonly Route[] = [
  route({
    method: "get",
    path: "/v1/status",
    operation: "getStatus",
    summary: "What the node knows about itself, its peers, connections and addresses",
    response: async () => (await status()).statusSchema,
    handle: (node) => node.status(),
  }),
  eventRoute({
    path: "/v1/status/watch",
    operation: "watchStatus",
    summary:
      "The status as server-sent events: one at once, and one within a second of each change",
    response: async () => (await status()).statusSchema,
    errors: ["API_WATCHERS_MANY"],
    stream: (node, signal, who) => node.watchStatus(signal, who),
  }),
  route({
    method: "get",
    path: "/v1/version",
    operation: "getVersion",
    summary: "The version of the running daemon",
    response: async () => (await common()).versionSchema,
    handle: async (node) => node.version(),
  }),
  route({
    method: "post",
    path: "/v1/targets",
    operation: "connect",
    summary: "Adds targets, or replaces them all, and dials them at once",
    request: async () => (await common()).connectRequestSchema,
    response: async () => (await common()).targetsSchema,
    errors: BODY_ERRORS,
    handle: (node, { targets, replace }) => node.connect(targets, replace),
  }),
  route({
    method: "delete",
    path: "/v1/targets",
    operation: "forget",
    summary: "Takes targets away; established connections stay",
    request: async () => (await common()).forgetRequestSchema,
    response: async () => (await common()).targetsSchema,
    errors: BODY_ERRORS,
    handle: (node, { targets }) => node.forget(targets),
  }),
  route({
    method: "get",
    path: "/v1/prime",
    operation: "prime",
    summary: "Answers when the node can give out an address, however long that takes",
    response: async () => (await common()).primeSchema,
    handle: (node, _body, signal) => node.prime(signal),
  }),
  route({
    method: "post",
    path: "/v1/certificates",
    operation: "issueCertificate",
    role: "admin",
    summary: "Makes a key and a certificate with a role for somebody outside of the cluster",
    request: async () => (await context()).issueRequestSchema,
    response: async () => (await context()).issuedSchema,
    errors: BODY_ERRORS,
    handle: (node, request, _signal, caller) => node.issueCertificate(request, caller.name),
  }),
  route({
    method: "get",
    path: "/v1/certificates",
    operation: "listCertificates",
    role: "admin",
    summary:
      "Who holds certificates of the cluster, as far as the nodes remember, and which are called back",
    response: async () => (await context()).certificatesSchema,
    handle: async (node) => node.certificates(),
  }),
  route({
    method: "post",
    path: "/v1/certificates/revoke",
    operation: "revokeCertificates",
    role: "admin",
    summary:
      "Calls one certificate back, or all of one holder that were made until now, on every node and for good",
    request: async () => (await context()).revokeRequestSchema,
    response: async () => (await context()).revokedSchema,
    errors: [...BODY_ERRORS, "REVOCATIONS_MANY", "STATE_UNWRITABLE"],
    handle: (node, request, _signal, caller) => node.revokeCertificates(request, caller),
  }),
  route({
    method: "post",
    path: "/v1/join",
    operation: "join",
    role: "admin",
    summary:
      "Takes a host into the cluster as a full peer: its id, and the cluster's keys sealed for it",
    request: async () => (await join()).joinRequestSchema,
    response: async () => (await join()).joinedSchema,
    errors: [
      ...BODY_ERRORS,
      "IPAM_ID_OUTSIDE_SUBNET",
      "JOINS_MANY",
      "NODE_DEPARTED",
      "NODE_ID_TAKEN",
      "NODE_NAME_TAKEN",
      "NODE_TWIN",
    ],
    handle: (node, request) => node.admit(request),
  }),
  route({
    method: "post",
    path: "/v1/join/place",
    operation: "choosePlace",
    role: "node",
    summary:
      "Chooses id and name of a host that another node takes in, so that one node chooses for all",
    request: async () => (await join()).placeRequestSchema,
    response: async () => (await join()).placeSchema,
    errors: [
      ...BODY_ERRORS,
      "IPAM_ID_OUTSIDE_SUBNET",
      "JOINS_MANY",
      "NODE_DEPARTED",
      "NODE_ID_TAKEN",
      "NODE_NAME_TAKEN",
      "NODE_TWIN",
    ],
    handle: async (node, request) => node.choosePlace(request),
  }),
  route({
    method: "post",
    path: "/v1/leave",
    operation: "leave",
    role: "admin",
    summary:
      "Hands this node's addresses to a peer and leaves the cluster for good; the first half of hansa reset",
    request: async () => (await address()).leaveRequestSchema,
    response: async () => (await address()).leftSchema,
    errors: [...BODY_ERRORS, "STORE_LAST_VOTE", "STORE_REFUSED"],
    handle: (node, { force }) => node.leave(force),
  }),
  route({
    method: "post",
    path: "/v1/ipam/take-over",
    operation: "takeOver",
    role: "admin",
    summary:
      "Makes the addresses of a node that is gone for good this node's, and lets its key in no more",
    request: async () => (await address()).takeOverRequestSchema,
    response: async () => (await address()).takenOverSchema,
    errors: [
      ...BODY_ERRORS,
      "NODE_DEPARTED",
      "NODE_NOT_FOUND",
      "NODE_TWIN",
      "TAKE_OVER_REFUSED",
      "TAKE_OVER_UNCONFIRMED",
    ],
    handle: (node, { node: wanted, confirmed }) => node.takeOver(wanted, confirmed),
  }),
  route({
    method: "get",
    path: "/v1/ipam/check",
    operation: "checkAddresses",
    summary: "This node's leases with owner, age and reason, and what the rings lack",
    response: async () => (await address()).addressCheckSchema,
    errors: ["DOCKER_UNREACHABLE", "IPAM_PLUGIN_UNREACHABLE"],
    handle: (node) => node.checkAddresses(false),
  }),
  route({
    method: "post",
    path: "/v1/ipam/repair",
    operation: "repairAddresses",
    summary: "The same after freeing leases that no container held for 10 s",
    response: async () => (await address()).addressCheckSchema,
    errors: ["DOCKER_UNREACHABLE", "IPAM_PLUGIN_UNREACHABLE"],
    handle: (node) => node.checkAddresses(true),
  }),
  route({
    method: "get",
    path: "/v1/containers",
    operation: "listContainers",
    summary:
      "The containers on the network hansa of all nodes, with how old what is known of each node is",
    response: async () => (await container()).containersSchema,
    handle: (node) => node.containers(),
  }),
  eventRoute({
    path: "/v1/containers/watch",
    operation: "watchContainers",
    summary: "The same as server-sent events: all at first, then each change as it happens",
    response: async () => (await container()).containerEventSchema,
    errors: ["API_WATCHERS_MANY"],
    stream: (node, signal, who) => node.watchContainers(signal, who),
  }),
  eventRoute({
    path: "/v1/containers/local/watch",
    operation: "watchOwnContainers",
    summary: "The same events of this node's own containers",
    response: async () => (await container()).containerEventSchema,
    errors: ["API_WATCHERS_MANY"],
    stream: (node, signal, who) => node.watchOwnContainers(signal, who),
  }),
  route({
    method: "get",
    path: "/v1/inspect",
    operation: "inspect",
    summary: "The whole state in the predecessor's shape, and ours under Hansa",
    response: async () => (await inspection()).inspectionSchema,
    handle: (node) => node.inspect(),
  }),
  route({
    method: "get",
    path: "/v1/doctor",
    operation: "doctor",
    summary: "What is wrong with the host and its paths to the peers; takes up to 10 s",
    response: async () => (await doctor()).doctorSchema,
    handle: (node) => node.doctor(),
  }),
  route({
    method: "get",
    path: "/v1/report",
    operation: "getReport",
    role: "admin",
    summary:
      "State, logs and network of the node's host for a report, without secrets; takes up to 15 s",
    response: async () => (await report()).reportSchema,
    handle: (node) => node.report(),
  }),
  ...STORE_ROUTES,
  ...CLUSTER_ROUTES,
];
