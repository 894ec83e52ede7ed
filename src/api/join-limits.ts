/** Bounds of joining. Beside the schemas, which are loaded only where a body is checked. */

/** Places that a node may have promised at one time. */
export const MAX_PROMISED = 256;
