/** What the API asks of a node about the cluster as a whole: its quorum, and who joins it. */
import type { JoinCheck, JoinChecked, JoinInfo } from "./join-info-schemas.ts";
import type { QuorumView } from "./quorum-schemas.ts";

export interface ClusterPort {
  /** Throws STORE_NONE, STORE_UNREACHABLE; up to 3 s where no vote answers. */
  quorum(): Promise<QuorumView>;
  /** The same. */
  joinInfo(): Promise<JoinInfo>;
  /** Takes up to 4 s. `from` is the address that the asker has here. Throws USAGE and JOINS_MANY. */
  checkJoiner(request: JoinCheck, from: string): Promise<JoinChecked>;
}
