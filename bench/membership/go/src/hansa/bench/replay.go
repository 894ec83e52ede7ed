// The core alone: packets go in by a transport without a network, what the node sends is dropped.
package main

import (
	"encoding/binary"
	"errors"
	"io/ioutil"
	"net"
	"time"

	"github.com/hashicorp/memberlist"
)

// As in replay.ts.
const messagesAPacket = 10

// deaf is a transport that hears only what is put into its channel.
type deaf struct {
	packets chan *memberlist.Packet
	streams chan net.Conn
}

func (d deaf) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return net.ParseIP(nodeIP(1)), gossipPort, nil
}
func (d deaf) WriteTo([]byte, string) (time.Time, error) { return time.Now(), nil }
func (d deaf) PacketCh() <-chan *memberlist.Packet       { return d.packets }
func (d deaf) StreamCh() <-chan net.Conn                 { return d.streams }
func (d deaf) Shutdown() error                           { return nil }
func (d deaf) DialTimeout(string, time.Duration) (net.Conn, error) {
	return nil, errors.New("no network")
}

// applied tells of each change that its node makes.
type applied chan struct{}

func (a applied) NotifyJoin(node *memberlist.Node) {
	if node.Name != nodeName(1) {
		a <- struct{}{}
	}
}
func (a applied) NotifyUpdate(*memberlist.Node) { a <- struct{}{} }
func (a applied) NotifyLeave(*memberlist.Node)  {}

func replay(file string, updates int) {
	content, err := ioutil.ReadFile(file)
	check(err)
	transport := deaf{make(chan *memberlist.Packet), make(chan net.Conn)}
	seen := make(applied, messagesAPacket)
	config := configOf(1)
	config.Transport = transport
	config.Events = seen
	config.ProbeInterval = 0
	config.PushPullInterval = 0
	_, err = memberlist.Create(config)
	check(err)
	started := time.Now()
	for len(content) > 0 {
		end := 2 + int(binary.BigEndian.Uint16(content))
		transport.packets <- &memberlist.Packet{Buf: content[2:end], From: addrOf(2), Timestamp: time.Now()}
		content = content[end:]
		// Of what waits it applies the newest first, so a packet is applied whole before the next one comes.
		for message := 0; message < messagesAPacket; message++ {
			<-seen
		}
	}
	say(map[string]interface{}{"op": "replayed", "updates": updates, "seconds": time.Since(started).Seconds()})
}
