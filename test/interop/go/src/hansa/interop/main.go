// The reference's side of our interop tests: nodes of memberlist in one process, driven by lines of JSON on stdin.
//
// Each request {"id", "op", "node", …} is answered by {"id", "ok", …}; what happens in between comes as lines with
// "event". Byte strings are base64, as Go's encoder has them. The process ends when stdin does.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"hansa/reference"
)

type request struct {
	ID       int                `json:"id"`
	Op       string             `json:"op"`
	Node     string             `json:"node"`
	Settings reference.Settings `json:"settings"`
	// Whether what the node sends is reported.
	Record bool `json:"record"`
	// Of what is to be explained.
	Kind    string        `json:"kind"`
	To      string        `json:"to"`
	Targets []string      `json:"targets"`
	Payload []byte        `json:"payload"`
	Cut     reference.Cut `json:"cut"`
	Ms      int           `json:"ms"`
}

type member struct {
	Name  string `json:"name"`
	IP    string `json:"ip"`
	Port  uint16 `json:"port"`
	Meta  []byte `json:"meta"`
	Proto [3]int `json:"protocol"`
}

type answer struct {
	ID        int               `json:"id"`
	OK        bool              `json:"ok"`
	Error     string            `json:"error,omitempty"`
	Port      uint16            `json:"port,omitempty"`
	Joined    int               `json:"joined,omitempty"`
	Members   []member          `json:"members,omitempty"`
	Counts    *reference.Counts `json:"counts,omitempty"`
	Health    int               `json:"health"`
	Explained []explained       `json:"explained,omitempty"`
}

type event struct {
	Event   string  `json:"event"`
	Node    string  `json:"node"`
	Kind    string  `json:"kind,omitempty"`
	Member  *member `json:"member,omitempty"`
	Payload []byte  `json:"payload,omitempty"`
	Join    bool    `json:"join,omitempty"`
}

// printer writes one line at a time.
type printer struct {
	mutex   sync.Mutex
	encoder *json.Encoder
}

func (p *printer) print(line interface{}) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if err := p.encoder.Encode(line); err != nil {
		fmt.Fprintln(os.Stderr, "stdout is gone:", err)
		os.Exit(1)
	}
}

// reporter turns what happens to one node into event lines.
type reporter struct {
	node string
	out  *printer
}

func (r reporter) Member(kind string, node *memberlist.Node) {
	told := memberOf(node)
	r.out.print(event{Event: "member", Node: r.node, Kind: kind, Member: &told})
}

func (r reporter) User(payload []byte) {
	r.out.print(event{Event: "user", Node: r.node, Payload: payload})
}

func (r reporter) Merged(state []byte, join bool) {
	r.out.print(event{Event: "merged", Node: r.node, Payload: state, Join: join})
}

func (r reporter) record(kind string, bytes []byte) {
	r.out.print(event{Event: "sent", Node: r.node, Kind: kind, Payload: bytes})
}

func memberOf(node *memberlist.Node) member {
	return member{
		Name:  node.Name,
		IP:    node.Addr.String(),
		Port:  node.Port,
		Meta:  node.Meta,
		Proto: [3]int{int(node.PMin), int(node.PMax), int(node.PCur)},
	}
}

// cluster holds the nodes of this process by name.
type cluster struct {
	out   *printer
	mutex sync.Mutex
	nodes map[string]*reference.Node
}

func (c *cluster) start(req request) (answer, error) {
	report := reporter{node: req.Settings.Name, out: c.out}
	var recorder reference.Recorder
	if req.Record {
		recorder = report.record
	}
	node, err := reference.Start(req.Settings, report, os.Stderr, recorder)
	if err != nil {
		return answer{}, err
	}
	c.mutex.Lock()
	c.nodes[req.Settings.Name] = node
	c.mutex.Unlock()
	return answer{Port: node.LocalNode().Port}, nil
}

func (c *cluster) find(name string) (*reference.Node, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	node := c.nodes[name]
	if node == nil {
		return nil, fmt.Errorf("no node %q", name)
	}
	return node, nil
}

func (c *cluster) stop(name string, node *reference.Node) error {
	c.mutex.Lock()
	delete(c.nodes, name)
	c.mutex.Unlock()
	return node.Shutdown()
}

func (c *cluster) handle(req request) (answer, error) {
	switch req.Op {
	case "start":
		return c.start(req)
	case "explain":
		told, err := explain(req.Kind, req.Settings.Key, req.Payload)
		return answer{Explained: told}, err
	}
	node, err := c.find(req.Node)
	if err != nil {
		return answer{}, err
	}
	patience := time.Duration(req.Ms) * time.Millisecond
	switch req.Op {
	case "join":
		joined, err := node.Join(req.Targets)
		return answer{Joined: joined}, err
	case "members":
		members := []member{}
		for _, each := range node.Members() {
			members = append(members, memberOf(each))
		}
		return answer{Members: members}, nil
	case "announce":
		return answer{}, node.Announce(req.Payload, patience)
	case "packet", "stream":
		to := node.Find(req.To)
		if to == nil {
			return answer{}, fmt.Errorf("%q is no live member", req.To)
		}
		if req.Op == "packet" {
			return answer{}, node.SendBestEffort(to, req.Payload)
		}
		return answer{}, node.SendReliable(to, req.Payload)
	case "broadcast":
		node.Broadcast(req.Payload)
		return answer{}, nil
	case "cut":
		node.Transport.Set(req.Cut)
		return answer{}, nil
	case "counts":
		counts := node.Transport.Counts()
		return answer{Counts: &counts, Health: node.GetHealthScore()}, nil
	case "leave":
		if err := node.Leave(patience); err != nil {
			return answer{}, err
		}
		return answer{}, c.stop(req.Node, node)
	case "stop":
		return answer{}, c.stop(req.Node, node)
	default:
		return answer{}, fmt.Errorf("no such operation: %q", req.Op)
	}
}

func main() {
	out := &printer{encoder: json.NewEncoder(os.Stdout)}
	nodes := &cluster{out: out, nodes: map[string]*reference.Node{}}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<26)
	for lines.Scan() {
		var req request
		if err := json.Unmarshal(lines.Bytes(), &req); err != nil {
			fmt.Fprintln(os.Stderr, "not a request:", err)
			os.Exit(1)
		}
		// Each on its own: a join waits for another node of this very process.
		go func() {
			told, err := nodes.handle(req)
			told.ID = req.ID
			told.OK = err == nil
			if err != nil {
				told.Error = err.Error()
			}
			out.print(told)
		}()
	}
}
