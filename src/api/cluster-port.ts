/** What the API asks of a node about the cluster as a whole: its quorum, and later who joins it and who is removed. */
import type { QuorumView } from "./quorum-schemas.ts";

export interface ClusterPort {
  /** Throws STORE_NONE, STORE_UNREACHABLE; up to 3 s where no vote answers. */
  quorum(): Promise<QuorumView>;
}
