// Program etcdclient is etcd's own client, as a peer to measure against.
//
// `puts`: writes one after another and prints the milliseconds of each; `until`: one line of the milliseconds until
// a write is acknowledged, asked anew every 20 ms; `leads`: 1 when the member that is asked leads, else 0. Milliseconds are from the program's start of the write.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io/ioutil"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/clientv3"
)

func main() {
	endpoint := flag.String("endpoint", "https://127.0.0.1:2379", "")
	leaf := flag.String("leaf", "", "file of key and certificate")
	authority := flag.String("authority", "", "file of the authority's certificate")
	key := flag.String("key", "bench/peer", "")
	count := flag.Int("count", 1, "")
	size := flag.Int("size", 100, "bytes of each value")
	flag.Parse()

	client, err := connect(*endpoint, *leaf, *authority)
	if err != nil {
		fail(err)
	}
	defer client.Close()
	value := strings.Repeat("v", *size)
	switch flag.Arg(0) {
	case "puts":
		for i := 0; i < *count; i++ {
			began := time.Now()
			if err := put(client, *key, value, 5*time.Second); err != nil {
				fail(err)
			}
			fmt.Printf("%.3f\n", time.Since(began).Seconds()*1000)
		}
	case "until":
		began := time.Now()
		for put(client, *key, value, 300*time.Millisecond) != nil {
			time.Sleep(20 * time.Millisecond)
		}
		fmt.Printf("%.3f\n", time.Since(began).Seconds()*1000)
	case "leads":
		status, err := status(client, *endpoint)
		if err == nil && status.Leader == status.Header.MemberId {
			fmt.Println(1)
		} else {
			fmt.Println(0)
		}
	default:
		fail(fmt.Errorf("puts, until or leads, not %q", flag.Arg(0)))
	}
}

func status(client *clientv3.Client, endpoint string) (*clientv3.StatusResponse, error) {
	deadline, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return client.Status(deadline, endpoint)
}

func connect(endpoint, leaf, authority string) (*clientv3.Client, error) {
	certificate, err := tls.LoadX509KeyPair(leaf, leaf)
	if err != nil {
		return nil, err
	}
	pem, err := ioutil.ReadFile(authority)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return clientv3.New(clientv3.Config{
		Endpoints:   []string{endpoint},
		DialTimeout: 10 * time.Second,
		TLS:         &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: roots},
	})
}

func put(client *clientv3.Client, key, value string, limit time.Duration) error {
	deadline, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	_, err := client.Put(deadline, key, value)
	return err
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
