// Measures franz-go's kmsg on the messages of a file: lines of name, version and hexadecimal bytes, as
// //bench:protocol_bench writes them. Prints JSON lines: name, and the nanoseconds of decoding and of encoding one.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

type message interface {
	ReadFrom([]byte) error
	AppendTo([]byte) []byte
	SetVersion(int16)
}

var makers = map[string]func() message{
	"ProduceRequest":      func() message { return new(kmsg.ProduceRequest) },
	"ProduceResponse":     func() message { return new(kmsg.ProduceResponse) },
	"FetchRequest":        func() message { return new(kmsg.FetchRequest) },
	"FetchResponse":       func() message { return new(kmsg.FetchResponse) },
	"MetadataResponse":    func() message { return new(kmsg.MetadataResponse) },
	"ApiVersionsResponse": func() message { return new(kmsg.ApiVersionsResponse) },
	"JoinGroupRequest":    func() message { return new(kmsg.JoinGroupRequest) },
	"JoinGroupResponse":   func() message { return new(kmsg.JoinGroupResponse) },
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The nanoseconds of one turn in the best of a few rounds, garbage collection included as it comes.
func best(work func(*testing.B)) float64 {
	nanos := math.Inf(1)
	for round := 0; round < 5; round++ {
		r := testing.Benchmark(work)
		nanos = math.Min(nanos, float64(r.T.Nanoseconds())/float64(r.N))
	}
	return nanos
}

func main() {
	testing.Init()
	check(flag.Set("test.benchtime", "300ms"))

	file, err := os.Open(os.Args[1])
	check(err)
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 1<<20), 1<<24)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		version, err := strconv.Atoi(words[1])
		check(err)
		frame, err := hex.DecodeString(words[2])
		check(err)
		create := makers[words[0]]
		decoded := create()
		decoded.SetVersion(int16(version))
		check(decoded.ReadFrom(frame))
		if !bytes.Equal(decoded.AppendTo(nil), frame) {
			check(fmt.Errorf("%s: kmsg encodes other bytes", words[0]))
		}
		decode := func(b *testing.B) {
			for i := 0; i < b.N; i++ {
				m := create()
				m.SetVersion(int16(version))
				if m.ReadFrom(frame) != nil {
					b.Fatal("does not decode")
				}
			}
		}
		out := make([]byte, 0, 2*len(frame))
		encode := func(b *testing.B) {
			for i := 0; i < b.N; i++ {
				out = decoded.AppendTo(out[:0])
			}
		}
		check(json.NewEncoder(os.Stdout).Encode(map[string]any{
			"name": words[0], "decode_ns": best(decode), "encode_ns": best(encode)}))
	}
	check(lines.Err())
}
