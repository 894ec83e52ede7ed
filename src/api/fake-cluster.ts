/** The cluster of the FakeNode: three nodes of which one has no vote. */
import { HansaError } from "../errors.ts";
import type { ClusterPort } from "./cluster-port.ts";
import type { JoinCheck, JoinChecked, JoinInfo } from "./join-info-schemas.ts";
import type { QuorumView } from "./quorum-schemas.ts";
import type { NodeRemoved } from "./remove-schemas.ts";

export class FakeCluster implements ClusterPort {
  current: QuorumView | undefined;

  async quorum(): Promise<QuorumView> {
    if (!this.current) throw new HansaError("STORE_NONE", "node 1 (host1) knows of no store");
    return this.current;
  }

  async joinInfo(): Promise<JoinInfo> {
    if (!this.current) throw new HansaError("STORE_NONE", "node 1 (host1) knows of no store");
    return exampleJoinInfo();
  }

  async removeNode(node: string, confirmed: boolean): Promise<NodeRemoved> {
    const { members = [] } = this.current ?? {};
    const found = members.find(({ name }) => name === node);
    if (!found) throw new HansaError("NODE_NOT_FOUND", `${node} is not known`);
    if (!confirmed) throw new HansaError("TAKE_OVER_UNCONFIRMED", `${node} is not heard`);
    if (this.current) {
      const version = (this.current.configVersion ?? 0) + 1;
      const left = members.filter((member) => member !== found);
      this.current = { ...this.current, members: left, configVersion: version };
    }
    return { id: found.id, name: node, wasHeard: false, addresses: 7, problem: null };
  }

  async checkJoiner({ ports }: JoinCheck, from: string): Promise<JoinChecked> {
    const path = { direction: "to-host", protocol: "tcp", isOpen: true } as const;
    return { address: from, paths: Object.values(ports).map((port) => ({ ...path, port })) };
  }
}

/** Four nodes as the seed shows them, on the second. */
export function exampleQuorum(): QuorumView {
  return {
    ...{ name: "prod-central", configVersion: 4, transport: "wireguard", secureAuth: true },
    ...{ provider: "etcd", date: "2021-09-14T11:06:47.000Z", nodes: 4, nodeId: 2 },
    ringId: { node: 1, sequence: 0x1a8 },
    ...{ quorate: true, expectedVotes: 4, highestExpected: 4, totalVotes: 4, quorum: 3 },
    flags: ["Quorate"],
    witness: null,
    members: [1, 2, 3, 4].map((id) => ({
      ...{ id, name: `hp${id}`, address: `192.168.15.9${id}` },
      ...{ votes: 1, isLocal: id === 2 },
    })),
  };
}

/** The same cluster as a host sees it that is about to join. */
export function exampleJoinInfo(): JoinInfo {
  return {
    ...{ cluster: "prod-central", name: "prod-central", configVersion: 4, quorate: true },
    ...{ version: "0.1.0", date: "2021-09-14T11:06:47.000Z", encryption: "wireguard" },
    fingerprint: Array.from({ length: 32 }, () => "AB").join(":"),
    nodeId: 2,
    nodes: [1, 2, 3, 4].map((id) => ({
      ...{ id, name: `hp${id}`, address: `192.168.15.9${id}`, isHeard: true },
      links: [{ number: 0, address: `192.168.15.9${id}`, priority: 1 }],
      ports: { gossip: 6783, overlay: 6784, api: 1443 },
    })),
  };
}
