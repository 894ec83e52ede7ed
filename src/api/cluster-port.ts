/** What the API asks of a node about the cluster as a whole: its quorum, who joins it, and who is removed. */
import type { JoinCheck, JoinChecked, JoinInfo } from "./join-info-schemas.ts";
import type { QuorumView } from "./quorum-schemas.ts";
import type { NodeRemoved } from "./remove-schemas.ts";

export interface ClusterPort {
  /** Throws STORE_NONE, STORE_UNREACHABLE; up to 3 s where no vote answers. */
  quorum(): Promise<QuorumView>;
  /** The same. */
  joinInfo(): Promise<JoinInfo>;
  /** Takes up to 4 s. `from` is the address that the asker has here. Throws USAGE and JOINS_MANY. */
  checkJoiner(request: JoinCheck, from: string): Promise<JoinChecked>;
  /** Takes as long as the node needs to leave, up to a minute. */
  removeNode(node: string, confirmed: boolean): Promise<NodeRemoved>;
}
