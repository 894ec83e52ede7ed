package reference

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// Any stands for every address in a Cut.
const Any = "*"

// Cut says what a transport loses. Addresses are "ip:port", or Any.
type Cut struct {
	// Datagrams from and to these addresses.
	Packets []string `json:"packets"`
	// Streams that we would dial to these addresses.
	Dials []string `json:"dials"`
	// Streams that others dial: all or none, since the source of one does not say which node it is.
	Accepts bool `json:"accepts"`
}

// Counts is the traffic of a node since it started.
type Counts struct {
	PacketsIn      uint64 `json:"packetsIn"`
	PacketsOut     uint64 `json:"packetsOut"`
	PacketBytesIn  uint64 `json:"packetBytesIn"`
	PacketBytesOut uint64 `json:"packetBytesOut"`
	PacketsLost    uint64 `json:"packetsLost"`
	StreamsIn      uint64 `json:"streamsIn"`
	StreamsOut     uint64 `json:"streamsOut"`
	StreamBytesIn  uint64 `json:"streamBytesIn"`
	StreamBytesOut uint64 `json:"streamBytesOut"`
}

// Recorder is given every datagram sent and everything written into a stream. It must not keep the bytes.
type Recorder func(kind string, bytes []byte)

// Transport is memberlist's own transport with a knife and a meter: it loses what a Cut says and counts the rest.
type Transport struct {
	inner    *memberlist.NetTransport
	packets  chan *memberlist.Packet
	streams  chan net.Conn
	done     chan struct{}
	recorder Recorder

	mutex sync.RWMutex
	cut   Cut

	counts Counts
}

var errCut = errors.New("cut by the test")

// NewTransport takes over a transport that listens.
func NewTransport(inner *memberlist.NetTransport, recorder Recorder) *Transport {
	t := &Transport{
		inner:    inner,
		packets:  make(chan *memberlist.Packet),
		streams:  make(chan net.Conn),
		done:     make(chan struct{}),
		recorder: recorder,
	}
	go t.forwardPackets()
	go t.forwardStreams()
	return t
}

// Set loses from now on what cut says, and nothing else.
func (t *Transport) Set(cut Cut) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.cut = cut
}

// Counts is a copy of the counts so far.
func (t *Transport) Counts() Counts {
	return Counts{
		PacketsIn:      atomic.LoadUint64(&t.counts.PacketsIn),
		PacketsOut:     atomic.LoadUint64(&t.counts.PacketsOut),
		PacketBytesIn:  atomic.LoadUint64(&t.counts.PacketBytesIn),
		PacketBytesOut: atomic.LoadUint64(&t.counts.PacketBytesOut),
		PacketsLost:    atomic.LoadUint64(&t.counts.PacketsLost),
		StreamsIn:      atomic.LoadUint64(&t.counts.StreamsIn),
		StreamsOut:     atomic.LoadUint64(&t.counts.StreamsOut),
		StreamBytesIn:  atomic.LoadUint64(&t.counts.StreamBytesIn),
		StreamBytesOut: atomic.LoadUint64(&t.counts.StreamBytesOut),
	}
}

func (t *Transport) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	return t.inner.FinalAdvertiseAddr(ip, port)
}

func (t *Transport) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: addr})
}

func (t *Transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if t.loses(func(cut Cut) []string { return cut.Packets }, a.Addr) {
		atomic.AddUint64(&t.counts.PacketsLost, 1)
		return time.Now(), nil
	}
	atomic.AddUint64(&t.counts.PacketsOut, 1)
	atomic.AddUint64(&t.counts.PacketBytesOut, uint64(len(b)))
	if t.recorder != nil {
		t.recorder("packet", b)
	}
	return t.inner.WriteToAddress(b, a)
}

func (t *Transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

func (t *Transport) StreamCh() <-chan net.Conn { return t.streams }

func (t *Transport) IngestPacket(conn net.Conn, addr net.Addr, now time.Time, shouldClose bool) error {
	return t.inner.IngestPacket(conn, addr, now, shouldClose)
}

func (t *Transport) IngestStream(conn net.Conn) error { return t.inner.IngestStream(conn) }

func (t *Transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

func (t *Transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if t.loses(func(cut Cut) []string { return cut.Dials }, a.Addr) {
		return nil, errCut
	}
	conn, err := t.inner.DialAddressTimeout(a, timeout)
	if err != nil {
		return nil, err
	}
	atomic.AddUint64(&t.counts.StreamsOut, 1)
	return &meteredConn{Conn: conn, transport: t, kind: "dialled"}, nil
}

// Shutdown closes the sockets; the forwarders go on until nobody can send to them.
func (t *Transport) Shutdown() error {
	err := t.inner.Shutdown()
	close(t.done)
	return err
}

func (t *Transport) forwardPackets() {
	for {
		select {
		case packet := <-t.inner.PacketCh():
			if t.loses(func(cut Cut) []string { return cut.Packets }, packet.From.String()) {
				atomic.AddUint64(&t.counts.PacketsLost, 1)
				continue
			}
			atomic.AddUint64(&t.counts.PacketsIn, 1)
			atomic.AddUint64(&t.counts.PacketBytesIn, uint64(len(packet.Buf)))
			select {
			case t.packets <- packet:
			case <-t.done:
				return
			}
		case <-t.done:
			return
		}
	}
}

func (t *Transport) forwardStreams() {
	for {
		select {
		case conn := <-t.inner.StreamCh():
			t.mutex.RLock()
			refused := t.cut.Accepts
			t.mutex.RUnlock()
			if refused {
				conn.Close()
				continue
			}
			atomic.AddUint64(&t.counts.StreamsIn, 1)
			select {
			case t.streams <- &meteredConn{Conn: conn, transport: t, kind: "accepted"}:
			case <-t.done:
				conn.Close()
				return
			}
		case <-t.done:
			return
		}
	}
}

func (t *Transport) loses(of func(Cut) []string, addr string) bool {
	t.mutex.RLock()
	defer t.mutex.RUnlock()
	for _, lost := range of(t.cut) {
		if lost == Any || lost == addr {
			return true
		}
	}
	return false
}

// meteredConn counts the bytes of a stream and hands what is written to the recorder.
type meteredConn struct {
	net.Conn
	transport *Transport
	kind      string
}

func (c *meteredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	atomic.AddUint64(&c.transport.counts.StreamBytesIn, uint64(n))
	return n, err
}

func (c *meteredConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	atomic.AddUint64(&c.transport.counts.StreamBytesOut, uint64(n))
	if c.transport.recorder != nil {
		c.transport.recorder(c.kind, b[:n])
	}
	return n, err
}
