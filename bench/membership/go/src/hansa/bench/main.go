// The other side of the bench: nodes of hashicorp/memberlist in one process, driven by the same lines of JSON as ours.
//
// See node-protocol.ts. memberlist's own transport, not the metered one of hansa/reference, whose work would be counted as its.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"io/ioutil"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const gossipPort = 7946

type order struct {
	Op      string `json:"op"`
	First   int    `json:"first"`
	Count   int    `json:"count"`
	Seed    int    `json:"seed"`
	Spacing int    `json:"spacingMs"`
	Alive   int    `json:"alive"`
	Node    int    `json:"node"`
	File    string `json:"file"`
	Updates int    `json:"updates"`
}

// program is guarded by its lock; memberlist calls back from many goroutines.
type program struct {
	sync.Mutex
	nodes    map[int]*memberlist.Memberlist
	live     map[string]int
	expected int
}

var theProgram = &program{nodes: map[int]*memberlist.Memberlist{}, live: map[string]int{}}

var sayLock sync.Mutex

func say(saying map[string]interface{}) {
	line, err := json.Marshal(saying)
	check(err)
	sayLock.Lock()
	defer sayLock.Unlock()
	_, err = os.Stdout.Write(append(line, '\n'))
	check(err)
}

func check(err error) {
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func nodeIP(number int) string { return fmt.Sprintf("127.1.%d.%d", number>>8, number&255) }

func nodeName(number int) string { return fmt.Sprintf("n%d", number) }

// view is what one node sees: memberlist tells a node of itself too.
type view struct{ name string }

func (v view) NotifyJoin(*memberlist.Node)   { v.change(1) }
func (v view) NotifyUpdate(*memberlist.Node) {}
func (v view) NotifyLeave(node *memberlist.Node) {
	v.change(-1)
	say(map[string]interface{}{"op": "dead", "node": node.Name, "by": v.name})
}

func (v view) change(by int) {
	theProgram.Lock()
	defer theProgram.Unlock()
	theProgram.live[v.name] += by
	theProgram.checkFull()
}

func (p *program) checkFull() {
	if p.expected == 0 {
		return
	}
	for number := range p.nodes {
		if p.live[nodeName(number)] != p.expected {
			return
		}
	}
	p.expected = 0
	say(map[string]interface{}{"op": "full"})
}

// metadata is all that the layer above a node gives.
type metadata []byte

func (m metadata) NodeMeta(int) []byte             { return m }
func (m metadata) NotifyMsg([]byte)                {}
func (m metadata) GetBroadcasts(int, int) [][]byte { return nil }
func (m metadata) LocalState(bool) []byte          { return nil }
func (m metadata) MergeRemoteState([]byte, bool)   {}

func configOf(number int) *memberlist.Config {
	config := memberlist.DefaultLANConfig()
	config.Name = nodeName(number)
	config.BindAddr = nodeIP(number)
	config.BindPort = gossipPort
	config.AdvertiseAddr = nodeIP(number)
	config.AdvertisePort = gossipPort
	config.SecretKey = bytes.Repeat([]byte{7}, 32)
	meta := sha512.Sum512([]byte(nodeName(number)))
	config.Delegate = metadata(meta[:])
	config.Events = view{config.Name}
	config.LogOutput = ioutil.Discard
	return config
}

func (p *program) start(first, count int) {
	for number := first; number < first+count; number++ {
		node, err := memberlist.Create(configOf(number))
		check(err)
		p.Lock()
		p.nodes[number] = node
		p.Unlock()
	}
	say(map[string]interface{}{"op": "started"})
}

func (p *program) join(seed, spacingMs int) {
	target := []string{fmt.Sprintf("%s:%d", nodeIP(seed), gossipPort)}
	var all sync.WaitGroup
	var lock sync.Mutex
	failures := 0
	p.Lock()
	for number, node := range p.nodes {
		if number == seed {
			continue
		}
		all.Add(1)
		go func(node *memberlist.Memberlist, wait time.Duration) {
			defer all.Done()
			time.Sleep(wait)
			for {
				if _, err := node.Join(target); err == nil {
					return
				}
				lock.Lock()
				failures++
				lock.Unlock()
				time.Sleep(time.Second)
			}
		}(node, time.Duration(number*spacingMs)*time.Millisecond)
	}
	p.Unlock()
	all.Wait()
	say(map[string]interface{}{"op": "joined", "failures": failures})
}

func (p *program) kill(number int) {
	p.Lock()
	node := p.nodes[number]
	delete(p.nodes, number)
	p.Unlock()
	check(node.Shutdown())
	say(map[string]interface{}{"op": "killed"})
}

func (p *program) expect(alive int) {
	p.Lock()
	defer p.Unlock()
	p.expected = alive
	p.checkFull()
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var o order
		check(json.Unmarshal(lines.Bytes(), &o))
		switch o.Op {
		case "start":
			go theProgram.start(o.First, o.Count)
		case "join":
			go theProgram.join(o.Seed, o.Spacing)
		case "expect":
			theProgram.expect(o.Alive)
		case "kill":
			go theProgram.kill(o.Node)
		case "replay":
			go replay(o.File, o.Updates)
		default:
			check(fmt.Errorf("unknown order %q", o.Op))
		}
	}
}

// addrOf makes the source address of replayed packets.
func addrOf(number int) net.Addr {
	return &net.UDPAddr{IP: net.ParseIP(nodeIP(number)), Port: gossipPort}
}
