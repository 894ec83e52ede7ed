/** Docker answers, is new enough, and lets the overlay's packets pass. */
import { finding, findingOf } from "../finding.ts";
import { hostCheck, nodeCheck } from "./check.ts";

export const dockerReachable = hostCheck("Docker answers", ({ docker, isRoot }) => {
  if (docker.error === undefined) return [];
  return isRoot ? [findingOf(docker.error)] : { skipped: "only root may ask it" };
});

export const dockerUser = nodeCheck("Docker's firewall lets the overlay pass", ({ dockerUser }) => {
  if (dockerUser === undefined) return { skipped: "Docker has no chain DOCKER-USER here" };
  const { wanted, found } = dockerUser;
  if (found === undefined) {
    const evidence = "Docker's chain DOCKER-USER does not exist";
    return [finding("DOCTOR_DOCKER_USER_MISSING", evidence, { mend: "systemctl restart docker" })];
  }
  if (found >= wanted) return [];
  const evidence = `DOCKER-USER holds ${found} of the ${wanted} rules with the comment hansa`;
  return [finding("DOCTOR_DOCKER_USER_MISSING", evidence)];
});
