package main

import (
	"bytes"
	"compress/lzw"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/hashicorp/go-msgpack/codec"
)

// The structs of memberlist's net.go, which keeps them to itself: what is read here is read by the reference's own
// libraries, so that our decoder is compared with them and not with itself.
type (
	wirePing struct {
		SeqNo      uint32
		Node       string
		SourceAddr []byte
		SourcePort uint16
		SourceNode string
	}
	wireIndirectPing struct {
		SeqNo      uint32
		Target     []byte
		Port       uint16
		Node       string
		Nack       bool
		SourceAddr []byte
		SourcePort uint16
		SourceNode string
	}
	wireAck struct {
		SeqNo   uint32
		Payload []byte
	}
	wireNack       struct{ SeqNo uint32 }
	wireError      struct{ Error string }
	wireAccusation struct {
		Incarnation uint32
		Node        string
		From        string
	}
	wireAlive struct {
		Incarnation uint32
		Node        string
		Addr        []byte
		Port        uint16
		Meta        []byte
		Vsn         []byte
	}
	wireState struct {
		Name        string
		Addr        []byte
		Port        uint16
		Meta        []byte
		Incarnation uint32
		State       int
		Vsn         []byte
	}
	wirePushPull struct {
		Nodes        int
		UserStateLen int
		Join         bool
	}
	wireUser     struct{ UserMsgLen int }
	wireCompress struct {
		Algo uint8
		Buf  []byte
	}
)

// explained is one message; Wrapping says what was around it, outermost first.
type explained struct {
	Type     uint8       `json:"type"`
	Fields   interface{} `json:"fields"`
	Members  []wireState `json:"members,omitempty"`
	Payload  []byte      `json:"payload,omitempty"`
	Wrapping []string    `json:"wrapping"`
}

// explain reads a datagram, or what was written to a stream, as memberlist would.
func explain(kind string, key, sent []byte) ([]explained, error) {
	wrapping := []string{}
	body := sent
	if kind != "packet" && len(body) > 0 && body[0] == 10 {
		if len(body) < 5 || int(binary.BigEndian.Uint32(body[1:])) != len(body)-5 {
			return nil, errors.New("not one whole frame")
		}
		plain, err := decrypt(key, body[5:], body[:5])
		if err != nil {
			return nil, err
		}
		wrapping = append(wrapping, fmt.Sprintf("encrypted v%d", body[5]))
		body = plain
	} else if kind == "packet" && len(key) > 0 {
		plain, err := decrypt(key, body, nil)
		if err != nil {
			return nil, err
		}
		wrapping = append(wrapping, fmt.Sprintf("encrypted v%d", body[0]))
		body = plain
	}
	if kind == "packet" && len(body) > 5 && body[0] == 12 {
		if crc32.ChecksumIEEE(body[5:]) != binary.BigEndian.Uint32(body[1:]) {
			return nil, errors.New("wrong checksum")
		}
		wrapping = append(wrapping, "crc")
		body = body[5:]
	}
	if len(body) > 0 && body[0] == 9 {
		var envelope wireCompress
		if err := decode(bytes.NewReader(body[1:]), &envelope); err != nil {
			return nil, err
		}
		plain, err := io.ReadAll(lzw.NewReader(bytes.NewReader(envelope.Buf), lzw.LSB, 8))
		if err != nil {
			return nil, err
		}
		wrapping = append(wrapping, "compressed")
		body = plain
	}
	if kind != "packet" {
		one, err := explainStream(body, wrapping)
		return []explained{one}, err
	}
	if len(body) > 0 && body[0] == 7 {
		return explainCompound(body, append(wrapping, "compound"))
	}
	one, err := explainMessage(body, wrapping)
	return []explained{one}, err
}

func explainCompound(body []byte, wrapping []string) ([]explained, error) {
	if len(body) < 2 || len(body) < 2+2*int(body[1]) {
		return nil, errors.New("no compound")
	}
	told := []explained{}
	rest := body[2+2*int(body[1]):]
	for index := 0; index < int(body[1]); index++ {
		size := int(binary.BigEndian.Uint16(body[2+2*index:]))
		if size > len(rest) {
			return nil, errors.New("a compound that was cut off")
		}
		one, err := explainMessage(rest[:size], wrapping)
		if err != nil {
			return nil, err
		}
		told = append(told, one)
		rest = rest[size:]
	}
	return told, nil
}

func explainMessage(body []byte, wrapping []string) (explained, error) {
	if len(body) == 0 {
		return explained{}, errors.New("an empty message")
	}
	told := explained{Type: body[0], Wrapping: wrapping}
	switch body[0] {
	case 0:
		told.Fields = &wirePing{}
	case 1:
		told.Fields = &wireIndirectPing{}
	case 2:
		told.Fields = &wireAck{}
	case 3, 5:
		told.Fields = &wireAccusation{}
	case 4:
		told.Fields = &wireAlive{}
	case 8:
		told.Payload = body[1:]
		return told, nil
	case 11:
		told.Fields = &wireNack{}
	case 13:
		told.Fields = &wireError{}
	default:
		return told, fmt.Errorf("type %d", body[0])
	}
	return told, decode(bytes.NewReader(body[1:]), told.Fields)
}

func explainStream(body []byte, wrapping []string) (explained, error) {
	if len(body) == 0 {
		return explained{}, errors.New("an empty stream")
	}
	told := explained{Type: body[0], Wrapping: wrapping}
	reader := bytes.NewReader(body[1:])
	decoder := codec.NewDecoder(reader, &codec.MsgpackHandle{})
	switch body[0] {
	case 6:
		header := &wirePushPull{}
		if err := decoder.Decode(header); err != nil {
			return told, err
		}
		told.Fields = header
		told.Members = make([]wireState, header.Nodes)
		for index := range told.Members {
			if err := decoder.Decode(&told.Members[index]); err != nil {
				return told, err
			}
		}
		told.Payload = make([]byte, header.UserStateLen)
	case 8:
		header := &wireUser{}
		if err := decoder.Decode(header); err != nil {
			return told, err
		}
		told.Payload = make([]byte, header.UserMsgLen)
	default:
		return explainMessage(body, wrapping)
	}
	_, err := io.ReadFull(reader, told.Payload)
	return told, err
}

func decode(from io.Reader, into interface{}) error {
	return codec.NewDecoder(from, &codec.MsgpackHandle{}).Decode(into)
}

func decrypt(key, sealed, data []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	if len(sealed) < 13 {
		return nil, errors.New("too short to be encrypted")
	}
	plain, err := gcm.Open(nil, sealed[1:13], sealed[13:], data)
	if err != nil || sealed[0] != 0 || len(plain) == 0 {
		return plain, err
	}
	// Version 0 pads as PKCS7 has it.
	return plain[:len(plain)-int(plain[len(plain)-1])], nil
}
