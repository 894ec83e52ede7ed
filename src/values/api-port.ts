/** Where a node's API listens for other machines, unless it was told another port. TCP. */
export const DEFAULT_API_PORT = 1443;
