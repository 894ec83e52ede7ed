/**
 * The one table of error codes, and the error that carries one.
 *
 * Every failure a user can meet has a code here. `title` is the heading of its section in
 * docs/reference/errors.md (generated from this table), `cause` says why it happens, `hint` what to do next.
 * `exit` is the exit status of the command line (0 ok, 1 refused/failed/usage, 2 not quorate, 3 not found, 125 broken off in the middle), `status`
 * the HTTP status of the API. Codes never change meaning.
 */

interface ErrorEntry {
  readonly title: string;
  readonly cause: string;
  readonly hint: string;
  readonly exit: 1 | 2 | 3 | 125;
  readonly status: number;
}

export const ERRORS = {
  API_ANSWER_INVALID: {
    title: "the daemon's answer was not understood",
    cause:
      "the daemon and the command line are of different versions, or something else serves the socket",
    hint: "compare hansa version with node.version in hansa status -o json, and restart the daemon with hansa resume",
    exit: 1,
    status: 502,
  },
  API_CERTIFICATE_REFUSED: {
    title: "the certificate was refused",
    cause:
      "the API serves other machines only when they show a certificate of the cluster's authority with a role, and none, an expired one or one of another cluster was shown",
    hint: "on the node itself use the command line; on another machine, a certificate that the cluster made",
    exit: 1,
    status: 401,
  },
  API_CONNECTIONS_MANY: {
    title: "too many connections",
    cause:
      "a node keeps places for other nodes and for other certificates, and this certificate has all that are left for it",
    hint: "end some programs that use this certificate, or ask through another node",
    exit: 1,
    status: 503,
  },
  API_FORWARDS_MANY: {
    title: "too many requests are passed on",
    cause: "a node passes a limited number of requests on to each other node at one time",
    hint: "end some programs that watch that node through this one, or ask the node itself",
    exit: 1,
    status: 503,
  },
  API_ROLE_MISSING: {
    title: "the role does not allow it",
    cause:
      "each certificate carries a role (viewer, operator, admin), and the request needs a higher one",
    hint: "ask an administrator of the cluster for a certificate with the role that is named",
    exit: 1,
    status: 403,
  },
  API_ROUTE_UNKNOWN: {
    title: "no such route",
    cause: "the API does not serve this path with this method",
    hint: "GET /v1/openapi.json lists all routes",
    exit: 3,
    status: 404,
  },
  API_TLS_REQUIRED: {
    title: "the API is served by TLS only",
    cause: "plain HTTP was spoken to the port of the API",
    hint: "use https:// and a certificate of the cluster",
    exit: 1,
    status: 400,
  },
  API_RATE_LIMITED: {
    title: "too many requests",
    cause:
      "one certificate asked more often than a node serves one: 20,000 requests at once, and 2,000 a second after that; a change counts as 100",
    hint: "wait for as many seconds as the Retry-After header says, and ask less often; to follow something, watch it",
    exit: 1,
    status: 429,
  },
  API_WATCHERS_MANY: {
    title: "too many programs watch",
    cause: "a node serves a limited number of watchers at one time",
    hint: "end some programs that watch with this certificate or on this host, or ask another node",
    exit: 1,
    status: 503,
  },
  ARCHIVE_INVALID: {
    title: "the archive cannot be unpacked",
    cause:
      "what came is no tar archive, or was cut short, or names a place outside of where it is unpacked",
    hint: "what was unpacked until then is there; hansa cp CONTAINER:PATH - > FILE keeps the archive as it is",
    exit: 1,
    status: 400,
  },
  CLUSTER_DIFFERS: {
    title: "a node was launched otherwise than this one",
    cause:
      "a node with the same token and cluster name was launched with another subnet, or one of the two with --no-encryption; both belong to the whole cluster",
    hint: "start the wrong one over and launch it like the others: docs/troubleshooting/unencrypted.md",
    exit: 1,
    status: 409,
  },
  COMMAND_TIMEOUT: {
    title: "a program of the host did not end",
    cause: "a system program that hansa called hung and was killed",
    hint: "see what the program waits for, then run the same command again",
    exit: 1,
    status: 504,
  },
  CONFIG_CHANGED: {
    title: "the entry was changed meanwhile",
    cause:
      "a write was asked for in place of one revision, and the entry has another, or there is none",
    hint: "read it again with hansa config get KEY -o json, and write with the revision that it has now",
    exit: 1,
    status: 409,
  },
  CONFIG_NOT_FOUND: {
    title: "no such entry",
    cause: "the configuration has no entry with this key",
    hint: "hansa config ls shows the keys there are",
    exit: 3,
    status: 404,
  },
  CONTAINER_AMBIGUOUS: {
    title: "several containers are meant",
    cause: "containers on several nodes have that name, that beginning of an id, or that service",
    hint: "name the node too: NODE/CONTAINER",
    exit: 1,
    status: 409,
  },
  CONTAINER_NOT_FOUND: {
    title: "no such container",
    cause: "no node that can be asked has a container of that name, id or compose service",
    hint: "see hansa ps; a node that is down cannot be asked: hansa status --peers",
    exit: 3,
    status: 404,
  },
  CONTAINER_OUTSIDE: {
    title: "the container is not on the network hansa",
    cause:
      "operators and viewers reach the containers of the cluster, which are those on the network hansa; others are the host's own",
    hint: "ask an administrator, or put it on the network: docker network connect hansa CONTAINER",
    exit: 1,
    status: 403,
  },
  CONTAINER_PATH_NOT_FOUND: {
    title: "no such path in the container",
    cause: "the container has nothing at that path, or no folder to copy into",
    hint: "see hansa exec CONTAINER ls -l PATH",
    exit: 3,
    status: 404,
  },
  CONTAINER_PORT_CLOSED: {
    title: "the container's port does not answer",
    cause:
      "nothing listens there in the container, it listens on its own loopback only, or the container does not run",
    hint: "see hansa exec CONTAINER netstat -lnt; a server has to listen on 0.0.0.0",
    exit: 1,
    status: 502,
  },
  CONTEXT_BLOB_INVALID: {
    title: "the context cannot be opened",
    cause:
      "what was given is not the two words that one export printed, or a digit of them was changed",
    hint: "copy both words of one hansa context export again",
    exit: 1,
    status: 400,
  },
  CONTEXT_EXISTS: {
    title: "a context of that name is there",
    cause: "importing would replace it",
    hint: "say -y to replace it, or --name for another name",
    exit: 1,
    status: 409,
  },
  CONTEXT_NOT_FOUND: {
    title: "no such context",
    cause: "no context of this user has that name, or none is in use",
    hint: "see hansa context list",
    exit: 3,
    status: 404,
  },
  CONTEXT_UNREACHABLE: {
    title: "no node of the context answers",
    cause:
      "none of the places in the context could be connected to, or what answered is of another cluster, or its certificate does not name the place",
    hint: "see that 1443/tcp of a node is open from here; another place is given by hansa context export --api HOST:PORT",
    exit: 1,
    status: 502,
  },
  DOCKER_ID_TWICE: {
    title: "two Docker Engines have one ID",
    cause:
      "one machine was cloned from the other after Docker had made its ID; addresses do not depend on it, but whoever looks nodes up by it finds the wrong one",
    hint: "on the clone stop Docker, remove /etc/docker/key.json and /var/lib/docker/engine-id, and start Docker",
    exit: 1,
    status: 409,
  },
  DOCKER_NETWORK_DIFFERS: {
    title: "the Docker network is not as it should be",
    cause:
      "the network hansa was made with other options than this version, Docker or MTU needs, and containers are on it",
    hint: "disconnect the containers from the network hansa; it is then made anew by itself",
    exit: 1,
    status: 409,
  },
  DOCKER_REFUSED: {
    title: "Docker refused",
    cause: "the Docker Engine answered a request with an error",
    hint: "see the message of the Docker Engine in the error",
    exit: 1,
    status: 502,
  },
  DOCKER_TOO_OLD: {
    title: "the Docker Engine is too old",
    cause: "the Docker Engine speaks an API older than 1.40, which is Docker 19.03",
    hint: "upgrade Docker with apt-get install docker.io",
    exit: 1,
    status: 502,
  },
  DOCKER_UNREACHABLE: {
    title: "Docker does not answer",
    cause: "the Docker Engine is not installed, not running, or its socket is elsewhere",
    hint: "start it with systemctl start docker, or set DOCKER_HOST to its socket",
    exit: 1,
    status: 503,
  },
  USAGE: {
    title: "wrong usage",
    cause: "an argument or option is missing, unknown or malformed",
    hint: "run the command with --help",
    exit: 1,
    status: 400,
  },
  REQUEST_TOO_LARGE: {
    title: "request too large",
    cause: "the body of a request to the API is longer than 1 MiB",
    hint: "send less in one request",
    exit: 1,
    status: 413,
  },
  RESET_RUNNING: {
    title: "a reset is running",
    cause: "hansa reset is taking the node of this host away",
    hint: "wait until it has ended, then run the same command again",
    exit: 1,
    status: 409,
  },
  REVOCATIONS_MANY: {
    title: "too many certificates are called back",
    cause:
      "the cluster remembers 4,096 certificates and 1,024 holders that were called back, and forgets none of them to make room",
    hint: "call all certificates of one holder back by name, or start the cluster over with another token",
    exit: 1,
    status: 409,
  },
  ROOT_REQUIRED: {
    title: "root privileges required",
    cause: "the command changes the host's network and services",
    hint: "run the same command with sudo",
    exit: 1,
    status: 403,
  },
  ROOT_REFUSED: {
    title: "not to be run as root",
    cause: "hansa start is for plain users, so that what they made is theirs to reach",
    hint: "run it as a user who is a member of the group hansa; root has hansa launch",
    exit: 1,
    status: 403,
  },
  NODE_ALREADY_RUNNING: {
    title: "hansa is already running",
    cause: "another daemon serves the same socket",
    hint: "see hansa status; one host runs one node",
    exit: 1,
    status: 409,
  },
  LAUNCH_DIFFERS: {
    title: "launched otherwise before",
    cause:
      "the node was launched before with another id, name, subnet, port or encryption, which belong to it until a reset",
    hint: "launch with the same parameters, or start over with hansa reset",
    exit: 1,
    status: 409,
  },
  NETWORK_IN_USE: {
    title: "containers are on the network",
    cause: "a reset takes the network hansa away, and containers of yours are on it",
    hint: "remove them or disconnect them from the network hansa, or use --force to have them disconnected",
    exit: 1,
    status: 409,
  },
  NODE_DEPARTED: {
    title: "the node is gone for good",
    cause:
      "the node left the cluster in a reset that did not end, or its addresses were taken over because nobody heard it; its key is let in no more",
    hint: "on the node that is gone: hansa reset, then hansa launch, with the same id if you like",
    exit: 1,
    status: 409,
  },
  NODE_ID_TAKEN: {
    title: "another node has the id",
    cause:
      "ids of nodes are unique in a cluster, also those of nodes that are not in reach, and of nodes that may come back to their addresses",
    hint: "choose another one, or none: the lowest free one is taken by itself",
    exit: 1,
    status: 409,
  },
  NODE_NAME_TAKEN: {
    title: "another node has the name",
    cause: "names of nodes are unique in a cluster, also those of nodes that are not in reach now",
    hint: "choose another name with -n; when that node is gone for good, run hansa ipam take-over with its id first",
    exit: 1,
    status: 409,
  },
  NODE_NOT_FOUND: {
    title: "no such node",
    cause: "no node of this id or name was ever met, and it owns no addresses",
    hint: "see hansa status --peers and hansa status --ipam",
    exit: 3,
    status: 404,
  },
  NODE_NOT_LAUNCHED: {
    title: "the node was never launched",
    cause: "the host has no id and no token yet",
    hint: "hansa create NAME makes a cluster; hansa add HOST or hansa launch joins one",
    exit: 1,
    status: 409,
  },
  NODE_NOT_RUNNING: {
    title: "hansa is not running",
    cause: "the daemon does not answer on its socket",
    hint: "start it with hansa resume; a host that is no node yet makes a cluster with hansa create NAME, or joins one with hansa add HOST or hansa launch",
    exit: 1,
    status: 503,
  },
  NODE_TWIN: {
    title: "two nodes have one id",
    cause: "two hosts were launched with the same id, or one is a clone of the other's disk",
    hint: "reset one of the two and launch it with another id; where the other one is gone for good, run hansa ipam take-over with the id on a third node",
    exit: 1,
    status: 409,
  },
  NODE_UNREACHABLE: {
    title: "another node cannot be asked",
    cause:
      "the node that was asked for is off, cut off, or nothing of its API's port gets through to this node",
    hint: "see hansa status --peers here, ask another node, or see docs/troubleshooting/whole-cluster.md",
    exit: 1,
    status: 503,
  },
  GROUP_REQUIRED: {
    title: "only members of the group hansa may",
    cause:
      "a node is started for a plain user by the starter, which serves the members of the group hansa only",
    hint: "have root run usermod -aG hansa USER, then log in anew",
    exit: 1,
    status: 403,
  },
  JOIN_CHECKS_FAILED: {
    title: "the host may not join as it is",
    cause:
      "what is wrong was listed before; nothing was changed, neither on the host nor in the cluster",
    hint: "mend what was listed and run the same command again; --force goes on in spite of what can be overridden",
    exit: 1,
    status: 409,
  },
  JOIN_FINGERPRINT_DIFFERS: {
    title: "the node has another certificate than was expected",
    cause:
      "the SHA-256 fingerprint given with --fingerprint is not that of the certificate that the node showed: another machine answered, or the node has made a new one since",
    hint: "compare with hansa join-info --decode on a node of the cluster, and run the command with that fingerprint",
    exit: 1,
    status: 409,
  },
  JOINS_MANY: {
    title: "too many hosts join",
    cause: "places of the cluster are promised for a minute, and only so many at one time",
    hint: "wait a minute, then run the same command again",
    exit: 1,
    status: 503,
  },
  HOST_IS_WITNESS: {
    title: "the host is a witness",
    cause:
      "the host has the third vote of a cluster (hansa qdevice serve), with an etcd of its own at the ports of a node's; a witness is there for when a node fails, and so is none itself",
    hint: "take another host; or end the witness first: hansa qdevice remove on a node, then hansa qdevice end here",
    exit: 1,
    status: 409,
  },
  INSTALL_REFUSED: {
    title: "install or uninstall cannot be done now",
    cause: "the host is a node that needs its program, or something is in the way",
    hint: "the message says what is in the way",
    exit: 1,
    status: 409,
  },
  INTERNAL: {
    title: "unexpected failure",
    cause: "a defect in hansa, or the host refused something that it never refuses",
    hint: "see the daemon's log in /var/lib/hansa/log and report it",
    exit: 1,
    status: 500,
  },
  IPAM_ADDRESS_IN_USE: {
    title: "the address is in use",
    cause: "another container holds this address",
    hint: "choose another address with --ip, or none to be given a free one",
    exit: 1,
    status: 409,
  },
  IPAM_ADDRESS_RESERVED: {
    title: "the address cannot be given",
    cause: "the address is outside the fixed and dynamic parts of the subnet, or belongs to a node",
    hint: "choose an address of the fixed part, see hansa status --ipam",
    exit: 1,
    status: 409,
  },
  IPAM_ADDRESS_TWICE: {
    title: "an address was claimed twice",
    cause:
      "two nodes hold records of one address range that contradict each other: a restored disk image, a second birth in isolation, or a node that was taken over while it lived",
    hint: "restart the container that is named, or one of two: it is given an address of its own node",
    exit: 1,
    status: 409,
  },
  IPAM_EXHAUSTED: {
    title: "no free address",
    cause: "every address that this node may give is in use and no reachable node gave more",
    hint: "remove containers, or connect the node to one with free space, see hansa status --ipam",
    exit: 1,
    status: 503,
  },
  IPAM_ID_OUTSIDE_SUBNET: {
    title: "the subnet is too small for the node id",
    cause: "the first sixteenth of the subnet holds node addresses, one for each id",
    hint: "choose a lower id, or a larger subnet on every node with --subnet; a /12 holds all ids",
    exit: 1,
    status: 400,
  },
  IPAM_NOT_READY: {
    title: "no address space yet",
    cause: "a node whose id is not 1 to 4 gives addresses only after another node gave it space",
    hint: "connect the node with hansa connect HOST, then wait with hansa prime",
    exit: 1,
    status: 503,
  },
  IPAM_OWNER_UNREACHABLE: {
    title: "the owner of the address is out of reach",
    cause:
      "a fixed address is given only by the node that owns its part of the subnet, and that node cannot be asked now",
    hint: "choose an address that this node owns, or wait until its owner is reachable, see hansa status --ipam; of an owner that is gone for good: hansa ipam take-over NODE",
    exit: 1,
    status: 503,
  },
  IPAM_PLUGIN_UNREACHABLE: {
    title: "the address plugin does not answer",
    cause:
      "the process hansa ipam-plugin is not running, so no container of this host can be given an address",
    hint: "start it again with hansa resume",
    exit: 1,
    status: 503,
  },
  IPAM_SUBNET_INVALID: {
    title: "the subnet cannot be used",
    cause: "a subnet is a block from /8 to /20 with its host bits zero, the same on every node",
    hint: "use a private block such as 10.32.0.0/12",
    exit: 1,
    status: 400,
  },
  NAMES_PORT_TAKEN: {
    title: "another program has the name server's port",
    cause:
      "a name server on this host listens on every address, so that hansa cannot have port 53 of the node's own address",
    hint: "make it listen on its own addresses only, such as bind-interfaces for dnsmasq; containers resolve names meanwhile unless port 6785 is the one",
    exit: 1,
    status: 503,
  },
  OVERLAY_BRIDGE_MISSING: {
    title: "Docker's bridge of the network hansa is missing",
    cause: "Docker makes it with the network hansa, and has not done so yet or does not run",
    hint: "start Docker; while it starts there is nothing to do, and containers elsewhere are not affected",
    exit: 1,
    status: 503,
  },
  OVERLAY_REFUSED: {
    title: "the host refused a network setting",
    cause: "ip, bridge, nft, iptables, ethtool or WireGuard did not accept what the overlay needs",
    hint: "the message quotes the program's own words; hansa tries again at the next change",
    exit: 1,
    status: 500,
  },
  OVERLAY_SETTING_REFUSED: {
    title: "the host does not allow a kernel setting",
    cause: "/proc/sys is read-only or not ours to write, as in a container without privileges",
    hint: "set it on the machine itself with sysctl -w, and in /etc/sysctl.d for the next boot",
    exit: 1,
    status: 500,
  },
  OVERLAY_TUNNEL_MISSING: {
    title: "the tunnel interface is missing",
    cause:
      "the kernel has no WireGuard and the process wireguard-go is not running, or it has just ended",
    hint: "see the log of hansa tunnel; install wireguard-go where it is missing",
    exit: 1,
    status: 503,
  },
  PACKAGES_MISSING: {
    title: "packages could not be installed",
    cause: "apt-get has no source for them, no network, or another run of it holds its lock",
    hint: "install them by hand with apt-get install, then run hansa install again",
    exit: 1,
    status: 502,
  },
  PLAYGROUND_BUSY: {
    title: "the playground is in use",
    cause: "another running process owns the playground of this name, or is changing it",
    hint: "wait for it to end, or choose another with --name",
    exit: 1,
    status: 409,
  },
  PLAYGROUND_FAILED: {
    title: "the playground failed",
    cause:
      "a step on this machine failed, such as making a network namespace or starting a Docker Engine",
    hint: "see the logs in /var/lib/hansa-playground/NAME/hostN/log, then hansa playground down and up again",
    exit: 1,
    status: 500,
  },
  PLAYGROUND_HOST_OFF: {
    title: "the playground's host is off",
    cause: "the host was switched off by kill, or its first process ended",
    hint: "start it with hansa playground boot N",
    exit: 1,
    status: 409,
  },
  PLAYGROUND_NOT_FOUND: {
    title: "no such playground or host",
    cause: "no playground of this name is up, or it has fewer hosts or links",
    hint: "see hansa playground list, or start one with hansa playground up 4",
    exit: 3,
    status: 404,
  },
  PORT_TAKEN: {
    title: "port already taken",
    cause: "another program on the host holds a port that hansa needs",
    hint: "stop that program, or launch every node of the cluster with another --gossip-port or --overlay-port",
    exit: 1,
    status: 409,
  },
  SOCKET_TAKEN: {
    title: "another process serves the socket",
    cause: "a second copy of the same process was started while the first runs",
    hint: "end the other process first, or do nothing: it does the work",
    exit: 1,
    status: 409,
  },
  STARTER_UNREACHABLE: {
    title: "the starter does not answer",
    cause:
      "a node is started for a plain user by a small process of root's, which hansa install sets up, and that does not run",
    hint: "have root run hansa install once on this host",
    exit: 1,
    status: 503,
  },
  STATE_DAMAGED: {
    title: "a file of hansa is damaged",
    cause: "a file under /var/lib/hansa was changed by hand or by a failing disk",
    hint: "restore the file from a copy, or start over with hansa reset",
    exit: 1,
    status: 500,
  },
  STATE_UNWRITABLE: {
    title: "state cannot be written",
    cause: "the disk that holds /var/lib/hansa is full, read-only or failing",
    hint: "make room on the disk, then try again: nothing was changed",
    exit: 1,
    status: 507,
  },
  STREAM_BROKEN: {
    title: "the stream broke its protocol",
    cause: "the other end is of another version, or something else answered",
    hint: "compare hansa version with node.version in hansa status -o json",
    exit: 125,
    status: 400,
  },
  STREAM_LOST: {
    title: "the connection broke off in the middle",
    cause:
      "the node, its daemon or the network to it went away while something was done in one of its containers",
    hint: "see hansa status --peers; what was done until then stays done",
    exit: 125,
    status: 502,
  },
  STREAMS_MANY: {
    title: "too many streams",
    cause:
      "a node serves a limited number of logs, commands, copies and forwarded connections at one time",
    hint: "end some, or ask through another node",
    exit: 1,
    status: 503,
  },
  SUBNET_COLLISION: {
    title: "the cluster's subnet collides with a route of the host",
    cause: "addresses of the cluster would hide others that the host reaches already",
    hint: "launch every node of the cluster with the same free --subnet",
    exit: 1,
    status: 409,
  },
  STORE_COMPACTED: {
    title: "the store has forgotten it",
    cause: "the store keeps a limited number of its former revisions",
    hint: "read what is there now",
    exit: 1,
    status: 410,
  },
  STORE_DAMAGED: {
    title: "etcd does not open its data",
    cause: "the files of this node's vote were damaged, by its disk or by hand",
    hint: "where the other votes are a majority the node begins anew by itself (under systemd not: hansa reset there and launch it again); else, with the other votes back or gone for ever: hansa expected N, which takes the newest copy in reach, or hansa restore FILE",
    exit: 1,
    status: 500,
  },
  STORE_COPY_AHEAD: {
    title: "a copy is ahead of the store",
    cause:
      "this node copied a later recovery of the store, whose votes are gone for good, and the votes that are heard hold an earlier one",
    hint: "to go on with what this node has, write it into a file (hansa backup FILE) and restore that on a node with a vote (hansa restore FILE); else hansa reset this node and launch it again",
    exit: 1,
    status: 409,
  },
  STORE_EXISTS: {
    title: "there is a store already",
    cause: "a cluster has one store, and a node that is heard, or this one, has a vote in it",
    hint: "hansa store shows it; nodes 1 to 4 take their votes in it by themselves",
    exit: 1,
    status: 409,
  },
  STORE_DISK_FULL: {
    title: "the disk of a vote is full",
    cause: "etcd ended on a node with a vote, whose disk has no room left under /var/lib/hansa",
    hint: "make room on that disk: the vote then returns by itself, with what it missed; where that cannot be, give another node a vote (hansa vote give NODE) and take this one's (hansa vote take NODE)",
    exit: 1,
    status: 507,
  },
  STORE_FULL: {
    title: "the store is full",
    cause: "the configuration of the cluster has reached the store's bound of 512 MiB",
    hint: "remove what is not needed: hansa store shows the size",
    exit: 1,
    status: 507,
  },
  STORE_LAST_VOTE: {
    title: "the store would end with this node",
    cause:
      "this node has the only vote of the store that holds the cluster's configuration, and is about to be taken away",
    hint: "give another node a vote first: hansa vote give NODE. With --force the store ends; hansa expected 1 on another node then makes it anew from what that one saw of it",
    exit: 1,
    status: 409,
  },
  STORE_NO_QUORUM: {
    title: "no majority of the store's votes",
    cause:
      "the cluster's configuration is changed and read only by a majority of the nodes with a vote, and fewer of them reach each other; it is not known of a change under way whether it was made",
    hint: "hansa store shows which votes are missing; running containers, addresses and names need none of it",
    exit: 1,
    status: 503,
  },
  STORE_NONE: {
    title: "the cluster has no store yet",
    cause:
      "nobody made the store that holds the cluster's configuration, or no node with a vote in it was heard since this daemon started",
    hint: "make it on node 1, 2, 3 or 4: hansa create NAME",
    exit: 1,
    status: 404,
  },
  STORE_OTHER: {
    title: "the node has a vote in another store",
    cause: "two stores were made before their nodes met",
    hint: "hansa store on each node shows its store; reset and launch anew the nodes of the one that is to go",
    exit: 1,
    status: 409,
  },
  STORE_OUTLIVED: {
    title: "the store was made anew elsewhere",
    cause:
      "this node had a vote in the store when it was made anew on another node (hansa expected, hansa restore), or in a store that yielded to another one",
    hint: "nothing has to be done, and this is said for a day; what it had lies in the file that is named: keep it if something of it is missed, else remove it",
    exit: 1,
    status: 409,
  },
  STORE_QUORATE: {
    title: "a majority of the store's votes is there",
    cause:
      "the store is made anew only where no majority can be reached, because two stores of one cluster would come of it",
    hint: "hansa store shows the votes; where one is heard and does not answer, mend or reset that node, or take its vote away: hansa vote take NODE",
    exit: 1,
    status: 409,
  },
  STORE_REFUSED: {
    title: "the store refused",
    cause: "what was asked is beyond the store's bounds, or its program refused it",
    hint: "the sentence says why; /var/lib/hansa/log/etcd.log or the journal has more",
    exit: 1,
    status: 409,
  },
  STORE_UNREACHABLE: {
    title: "the store does not answer",
    cause: "the store's program on this host does not run, or has just been started",
    hint: "wait a few seconds; /var/lib/hansa/log/etcd.log or the journal says what keeps it",
    exit: 1,
    status: 503,
  },
  STORE_VOTER_SLOW: {
    title: "a part of the store answers late",
    cause:
      "the disk of a node with a vote takes so long to keep a write that its part of the store answers nothing meanwhile; it is not counted on, and what is read and written there goes by way of another vote",
    hint: "give the vote to a node with a faster disk: hansa vote take NODE, hansa vote give OTHER; hansa doctor on that node measures its disk",
    exit: 1,
    status: 503,
  },
  SYSTEMD_FAILED: {
    title: "systemd refused",
    cause: "systemctl could not install, start or stop a unit of hansa",
    hint: "see systemctl status 'hansa*' and journalctl -u hansa",
    exit: 1,
    status: 500,
  },
  TAKE_OVER_REFUSED: {
    title: "the node may still live",
    cause:
      "some node hears the one that is to be taken over, or a node in reach could not be asked whether it does",
    hint: "a node that lives gives its addresses back by itself: run hansa reset on it",
    exit: 1,
    status: 409,
  },
  TAKE_OVER_UNCONFIRMED: {
    title: "a take-over must be confirmed",
    cause:
      "should the node still run somewhere, its addresses are given out a second time, and both containers are cut off now and then",
    hint: "make sure that the node is off for good, then run the same command with --yes",
    exit: 1,
    status: 409,
  },
  TOKEN_DIFFERS: {
    title: "another token or cluster name",
    cause:
      "the node was launched before with another token or cluster name; both belong to it until a reset",
    hint: "launch with the same token and cluster name, or start over with hansa reset",
    exit: 1,
    status: 409,
  },
  TOKEN_NOT_KEPT: {
    title: "the token is kept nowhere",
    cause: "of a token that a person chose a node keeps only what is derived from it",
    hint: "ask who launched the cluster, or let hosts join by a context: hansa start -j",
    exit: 3,
    status: 404,
  },
  TOOL_MISSING: {
    title: "a program is missing",
    cause: "a system program that hansa calls is not installed",
    hint: "install the named package with apt-get install",
    exit: 1,
    status: 500,
  },
  UPGRADE_REFUSED: {
    title: "the upgrade was not begun",
    cause:
      "the file is no working build of hansa for this host, or cannot read what this node has on disk",
    hint: "nothing was changed; the message says what is wrong with the file",
    exit: 1,
    status: 409,
  },
  UPGRADE_ROLLED_BACK: {
    title: "the upgrade failed and was undone",
    cause: "a process of the new build did not become healthy in time",
    hint: "the node runs the build it ran before; see the logs in /var/lib/hansa/log",
    exit: 1,
    status: 500,
  },
  WITNESS_EXISTS: {
    title: "there is a witness already",
    cause: "a cluster has one witness at most",
    hint: "hansa store shows it; hansa qdevice remove takes it away",
    exit: 1,
    status: 409,
  },
  WITNESS_NONE: {
    title: "there is no witness",
    cause: "none was set up, or it was removed",
    hint: "hansa qdevice setup HOST",
    exit: 1,
    status: 404,
  },
  WITNESS_REFUSED: {
    title: "the witness was not set up",
    cause:
      "a box becomes a witness when all nodes are online and reach it, when it has etcd and is nobody's witness, and by the code that it shows; and an odd number of votes needs none",
    hint: "nothing was changed; on the box hansa qdevice serve shows the code",
    exit: 1,
    status: 409,
  },
  WITNESS_UNREACHABLE: {
    title: "the witness is not reached",
    cause: "its box is off, no witness runs there, or a firewall closes its port",
    hint: "see whether the box is on; there hansa qdevice serve starts the witness, or says what keeps it; TCP 5403 of the box must be open for the nodes. While it is away their votes alone decide",
    exit: 1,
    status: 503,
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

export interface HansaErrorOptions {
  /** Replaces the table's hint where this occurrence knows better. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * A failure with a code. `message` is one sentence: what failed, with names, and why; lower case, no period.
 */
export class HansaError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, options: HansaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "HansaError";
    this.code = code;
    this.hint = options.hint ?? ERRORS[code].hint;
  }
}

/** True when `error` is a HansaError, of `code` where one is given. */
export function isHansaError(error: unknown, code?: ErrorCode): error is HansaError {
  return error instanceof HansaError && (code === undefined || error.code === code);
}

/** "CODE: sentence" for an error of ours, any other in its own words: how logs, warnings and Docker are told. */
export function codedSentence(error: unknown): string {
  return isHansaError(error) ? `${error.code}: ${error.message}` : `${error}`;
}

/** True when `error` is a system error with that errno name, for example "ENOENT". */
export function isErrno(error: unknown, errno: string): boolean {
  return error instanceof Error && "code" in error && error.code === errno;
}
