/** What the API's operations that not everybody may do are called in a refusal, in the words of who asked. */

const DEEDS: Readonly<Record<string, string>> = {
  checkAddresses: "checking the addresses",
  checkJoiner: "checking a host that is to join",
  connect: "connecting to a host",
  createStore: "making the store",
  dial: "forwarding a port to a container",
  doctor: "having the doctor look",
  exec: "running a command in a container",
  forget: "forgetting a host",
  getCopyPart: "writing a backup of the store",
  getReport: "a report of a node's host",
  giveVote: "giving or taking votes",
  issueCertificate: "exporting a context",
  join: "taking a host into the cluster",
  leave: "having a node leave",
  listCertificates: "listing the contexts that were issued",
  listCopies: "looking at the copies of the store",
  listProcesses: "listing the processes of a container",
  prime: "waiting for addresses",
  putConfig: "changing the configuration",
  readArchive: "copying files out of a container",
  refoundStore: "making the store anew",
  removeConfig: "changing the configuration",
  removeNode: "removing a node",
  removeWitness: "removing the witness",
  repairAddresses: "repairing the addresses",
  restoreStore: "restoring the store",
  revokeCertificates: "revoking contexts",
  setupWitness: "setting up a witness",
  statPath: "looking at files of a container",
  takeOver: "taking over a node's addresses",
  writeArchive: "copying files into a container",
};

/** "changing the configuration" of "putConfig"; the operation's own name for what only nodes ask each other. */
export function deedOf(operation: string): string {
  return DEEDS[operation] ?? operation;
}
