// Package reference starts nodes of hashicorp/memberlist for our tests and benchmarks: real sockets, settings as data,
// a transport that can be cut and that counts. Any number of nodes live in one process.
package reference

import (
	"fmt"
	"io"
	"log"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// Settings of one node. What is zero has the value of memberlist's DefaultLANConfig, except as said.
type Settings struct {
	Name string `json:"name"`
	// An address of this host to listen on.
	Bind string `json:"bind"`
	// 0 takes any that is free for UDP and TCP.
	Port int `json:"port"`
	// 16, 24 or 32 bytes; none for clear text.
	Key  []byte `json:"key"`
	Meta []byte `json:"meta"`
	// What a push/pull carries beside the members.
	State       []byte `json:"state"`
	Compression bool   `json:"compression"`
	// The protocol version that is spoken, 1 to 5.
	Protocol        uint8  `json:"protocol"`
	DisableTCPPings bool   `json:"disableTcpPings"`
	Timing          Timing `json:"timing"`
}

// Timing in milliseconds, named as in our own src/membership/timing.ts.
type Timing struct {
	ProbeIntervalMs         int `json:"probeIntervalMs"`
	ProbeTimeoutMs          int `json:"probeTimeoutMs"`
	IndirectChecks          int `json:"indirectChecks"`
	GossipIntervalMs        int `json:"gossipIntervalMs"`
	GossipNodes             int `json:"gossipNodes"`
	RetransmitMult          int `json:"retransmitMult"`
	SuspicionMult           int `json:"suspicionMult"`
	SuspicionMaxTimeoutMult int `json:"suspicionMaxTimeoutMult"`
	PushPullIntervalMs      int `json:"pushPullIntervalMs"`
	GossipToTheDeadMs       int `json:"gossipToTheDeadMs"`
}

// Listener is told what happens to a node, from memberlist's own goroutines: it must not block, nor call the node.
type Listener interface {
	// "joined", "updated" or "gone": memberlist 0.2.2 does not tell its listeners a leave from a death.
	Member(kind string, member *memberlist.Node)
	User(payload []byte)
	Merged(state []byte, join bool)
}

// Node is one member. Its Memberlist is open to whoever needs more than this.
type Node struct {
	*memberlist.Memberlist
	Transport *Transport

	listener   Listener
	broadcasts *memberlist.TransmitLimitedQueue
	mutex      sync.Mutex
	meta       []byte
	state      []byte
}

// Start begins a node. `logs` takes memberlist's own log, nil throws it away; so does a nil recorder what is sent.
func Start(settings Settings, listener Listener, logs io.Writer, recorder Recorder) (*Node, error) {
	if logs == nil {
		logs = io.Discard
	}
	logger := log.New(logs, settings.Name+" ", log.Lmicroseconds)
	inner, err := listen(settings, logger)
	if err != nil {
		return nil, err
	}
	node := &Node{
		Transport: NewTransport(inner, recorder),
		listener:  listener,
		meta:      settings.Meta,
		state:     settings.State,
	}
	node.broadcasts = &memberlist.TransmitLimitedQueue{
		NumNodes:       func() int { return node.NumMembers() },
		RetransmitMult: 4,
	}
	config := configOf(settings)
	config.Transport = node.Transport
	config.BindPort = inner.GetAutoBindPort()
	config.AdvertisePort = config.BindPort
	config.Logger = logger
	config.Delegate = node
	config.Events = node
	// The delegate is asked for metadata while the node is created.
	node.Memberlist, err = memberlist.Create(config)
	if err != nil {
		node.Transport.Shutdown()
		return nil, err
	}
	return node, nil
}

func listen(settings Settings, logger *log.Logger) (*memberlist.NetTransport, error) {
	var err error
	for try := 0; try < 20; try++ {
		var transport *memberlist.NetTransport
		transport, err = memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{settings.Bind},
			BindPort:  settings.Port,
			Logger:    logger,
		})
		if err == nil {
			return transport, nil
		}
		if settings.Port != 0 {
			break
		}
	}
	return nil, fmt.Errorf("cannot listen on %s:%d: %v", settings.Bind, settings.Port, err)
}

func configOf(settings Settings) *memberlist.Config {
	config := memberlist.DefaultLANConfig()
	config.Name = settings.Name
	config.BindAddr = settings.Bind
	config.AdvertiseAddr = settings.Bind
	config.SecretKey = settings.Key
	config.EnableCompression = settings.Compression
	config.DisableTcpPings = settings.DisableTCPPings
	if settings.Protocol != 0 {
		config.ProtocolVersion = settings.Protocol
	}
	timing := settings.Timing
	setDuration(&config.ProbeInterval, timing.ProbeIntervalMs)
	setDuration(&config.ProbeTimeout, timing.ProbeTimeoutMs)
	setDuration(&config.GossipInterval, timing.GossipIntervalMs)
	setDuration(&config.PushPullInterval, timing.PushPullIntervalMs)
	setDuration(&config.GossipToTheDeadTime, timing.GossipToTheDeadMs)
	setCount(&config.IndirectChecks, timing.IndirectChecks)
	setCount(&config.GossipNodes, timing.GossipNodes)
	setCount(&config.RetransmitMult, timing.RetransmitMult)
	setCount(&config.SuspicionMult, timing.SuspicionMult)
	setCount(&config.SuspicionMaxTimeoutMult, timing.SuspicionMaxTimeoutMult)
	return config
}

func setDuration(field *time.Duration, ms int) {
	if ms != 0 {
		*field = time.Duration(ms) * time.Millisecond
	}
}

func setCount(field *int, count int) {
	if count != 0 {
		*field = count
	}
}

// Announce tells everybody new metadata.
func (n *Node) Announce(meta []byte, timeout time.Duration) error {
	n.mutex.Lock()
	n.meta = meta
	n.mutex.Unlock()
	return n.UpdateNode(timeout)
}

// Broadcast spreads a user message by gossip.
func (n *Node) Broadcast(payload []byte) { n.broadcasts.QueueBroadcast(userBroadcast(payload)) }

// Find is the member of that name that is not dead, or nil.
func (n *Node) Find(name string) *memberlist.Node {
	for _, member := range n.Members() {
		if member.Name == name {
			return member
		}
	}
	return nil
}

func (n *Node) NodeMeta(limit int) []byte {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.meta
}

func (n *Node) NotifyMsg(payload []byte) { n.listener.User(append([]byte(nil), payload...)) }

func (n *Node) GetBroadcasts(overhead, limit int) [][]byte {
	return n.broadcasts.GetBroadcasts(overhead, limit)
}

func (n *Node) LocalState(join bool) []byte { return n.state }

func (n *Node) MergeRemoteState(state []byte, join bool) { n.listener.Merged(state, join) }

func (n *Node) NotifyJoin(member *memberlist.Node) { n.listener.Member("joined", member) }

func (n *Node) NotifyUpdate(member *memberlist.Node) { n.listener.Member("updated", member) }

func (n *Node) NotifyLeave(member *memberlist.Node) { n.listener.Member("gone", member) }

type userBroadcast []byte

func (b userBroadcast) Invalidates(memberlist.Broadcast) bool { return false }
func (b userBroadcast) Message() []byte                       { return b }
func (b userBroadcast) Finished()                             {}
