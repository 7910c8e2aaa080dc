// Measures go.etcd.io/raft/v3 as //bench:raft_bench measures Weir's Raft, and prints rows as Google Benchmark does:
//
//	Commit/VOTERS/IN_FLIGHT         in memory: entries of 1 KiB, so many proposed at once, until all are committed
//	CommitDurable/VOTERS/IN_FLIGHT  each replica appends to a file of its own and syncs it before it answers
//
// All replicas take turns in one goroutine, with their messages in a queue; nothing ticks. For durable rows each has a
// goroutine that writes and syncs (Config.AsyncStorageWrites), all that has come meanwhile with one write and one
// fdatasync; what the core says between an append and its answers goes out before, what depends on it after. Without
// files the plain way, Ready and Advance, is the faster one and taken. Proposals of a round are one MsgProp; with
// -each every entry is proposed by itself, as etcd's own server does.
package main

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

const (
	entryBytes    = 1024
	rotationBytes = 64 << 20
	trimEvery     = 100_000
)

var (
	folder  = flag.String("folder", os.TempDir(), "where the durable rows' files are made")
	filter  = flag.String("filter", "", "only rows whose name has this")
	each    = flag.Bool("each", false, "propose every entry by itself")
	async   = flag.Bool("async", false, "in memory with AsyncStorageWrites too")
	seconds = flag.Float64("seconds", 0.5, "how long a row in memory takes at least")
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// What a replica's storage was told to write and has written.
type written struct {
	node      *node
	last      uint64
	responses []*raftpb.Message
}

type node struct {
	core    *raft.RawNode
	storage *raft.MemoryStorage
	durable uint64 // the last index that is in the storage, and synced if there is a file

	file    *os.File
	appends chan *raftpb.Message
	term    uint64
	vote    uint64
}

// Appends what m has to the storage and, as frames of size, CRC-32C and message, to *frames.
// Tells whether that must be synced.
func (n *node) store(m *raftpb.Message, frames *[]byte) bool {
	sync := len(m.GetEntries()) > 0
	add := func(message proto.Message) {
		if n.file == nil {
			return
		}
		at := len(*frames)
		*frames = append(*frames, 0, 0, 0, 0, 0, 0, 0, 0)
		var err error
		*frames, err = proto.MarshalOptions{}.MarshalAppend(*frames, message)
		must(err)
		body := (*frames)[at+8:]
		binary.LittleEndian.PutUint32((*frames)[at:], uint32(len(body)))
		binary.LittleEndian.PutUint32((*frames)[at+4:], crc32.Checksum(body, castagnoli))
	}
	for _, entry := range m.GetEntries() {
		add(entry)
	}
	must(n.storage.Append(m.GetEntries()))
	if m.Term != nil || m.Vote != nil || m.Commit != nil {
		state := &raftpb.HardState{Term: new(m.GetTerm()), Vote: new(m.GetVote()), Commit: new(m.GetCommit())}
		if state.GetTerm() != n.term || state.GetVote() != n.vote {
			sync = true
		}
		n.term, n.vote = state.GetTerm(), state.GetVote()
		add(state)
		must(n.storage.SetHardState(state))
	}
	return sync
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A durable replica's storage: as many appends as have come are one write and one sync.
func (n *node) run(done chan<- written) {
	for m := range n.appends {
		var frames []byte
		var answers []*raftpb.Message
		sync := false
		for m != nil {
			sync = n.store(m, &frames) || sync
			answers = append(answers, m.GetResponses()...)
			select {
			case m = <-n.appends:
			default:
				m = nil
			}
		}
		_, err := n.file.Write(frames)
		must(err)
		if sync {
			must(syscall.Fdatasync(int(n.file.Fd())))
		}
		last, err := n.storage.LastIndex()
		must(err)
		done <- written{n, last, answers}
	}
	must(n.file.Close())
}

type rig struct {
	nodes     []*node
	async     bool
	mail      []*raftpb.Message
	done      chan written
	committed uint64 // entries with data that the leader has committed
	proposed  uint64
	trimmed   uint64
}

func newRig(voters int, directory string) *rig {
	r := &rig{async: *async || directory != "", done: make(chan written, 64)}
	var ids []uint64
	for i := range voters {
		ids = append(ids, uint64(i+1))
	}
	for _, id := range ids {
		n := &node{storage: raft.NewMemoryStorage()}
		must(n.storage.ApplySnapshot(&raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
			Index: new(uint64(1)), Term: new(uint64(1)), ConfState: &raftpb.ConfState{Voters: ids}}}))
		core, err := raft.NewRawNode(&raft.Config{
			ID: id, ElectionTick: 10, HeartbeatTick: 1, Storage: n.storage, Applied: 1, AsyncStorageWrites: r.async,
			MaxSizePerMsg: 1 << 20, MaxCommittedSizePerReady: 64 << 20, MaxInflightMsgs: 256, PreVote: true,
			CheckQuorum: true, Logger: &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)}})
		must(err)
		n.core = core
		if directory != "" {
			n.file, err = os.Create(filepath.Join(directory, fmt.Sprint("raft-", id)))
			must(err)
			n.appends = make(chan *raftpb.Message, 4096)
			go n.run(r.done)
		}
		r.nodes = append(r.nodes, n)
	}
	must(r.nodes[0].core.Campaign())
	r.until(func() bool { return r.nodes[0].core.BasicStatus().RaftState == raft.StateLeader })
	r.settle()
	return r
}

func (r *rig) close() {
	for _, n := range r.nodes {
		if n.appends != nil {
			close(n.appends)
		}
	}
}

func (r *rig) apply(n *node, entries []*raftpb.Entry) {
	if n != r.nodes[0] {
		return
	}
	for _, entry := range entries {
		if len(entry.GetData()) != 0 {
			r.committed++
		}
	}
}

// Takes all that is ready; whether there was anything.
func (r *rig) ready(n *node) bool {
	if !n.core.HasReady() {
		return false
	}
	ready := n.core.Ready()
	if !r.async {
		must(n.storage.Append(ready.Entries))
		if !raft.IsEmptyHardState(ready.HardState) {
			must(n.storage.SetHardState(ready.HardState))
		}
		if count := len(ready.Entries); count > 0 {
			n.durable = ready.Entries[count-1].GetIndex()
		}
		r.mail = append(r.mail, ready.Messages...)
		r.apply(n, ready.CommittedEntries)
		n.core.Advance(ready)
		return true
	}
	for _, m := range ready.Messages {
		switch {
		case m.GetTo() == raft.LocalApplyThread:
			r.apply(n, m.GetEntries())
			r.mail = append(r.mail, m.GetResponses()...)
		case m.GetTo() != raft.LocalAppendThread:
			r.mail = append(r.mail, m)
		case n.file != nil:
			n.appends <- m
		default:
			n.store(m, nil)
			last, err := n.storage.LastIndex()
			must(err)
			r.take(written{n, last, m.GetResponses()})
		}
	}
	return true
}

func (r *rig) take(w written) {
	w.node.durable = w.last
	r.mail = append(r.mail, w.responses...)
}

// Until nobody has anything to do but to wait for its storage.
func (r *rig) turn() {
	for busy := true; busy; {
		busy = false
		for _, n := range r.nodes {
			busy = r.ready(n) || busy
		}
		mail := r.mail
		r.mail = nil
		for _, m := range mail {
			busy = true
			to := r.nodes[m.GetTo()-1].core
			if err := to.Step(m); err != nil {
				log.Fatal(err)
			}
		}
	}
}

func (r *rig) until(reached func() bool) {
	for {
		r.turn()
		if reached() {
			return
		}
		r.take(<-r.done)
		for more := true; more; {
			select {
			case w := <-r.done:
				r.take(w)
			default:
				more = false
			}
		}
	}
}

// Until everybody has everything.
func (r *rig) settle() {
	last, err := r.nodes[0].storage.LastIndex()
	must(err)
	r.until(func() bool {
		return !slices.ContainsFunc(r.nodes, func(n *node) bool { return n.durable < last })
	})
}

func (r *rig) commit(payloads [][]byte) {
	r.proposed += uint64(len(payloads))
	leader := r.nodes[0].core
	if *each {
		for _, data := range payloads {
			must(leader.Propose(data))
		}
	} else {
		entries := make([]*raftpb.Entry, 0, len(payloads))
		for _, data := range payloads {
			entries = append(entries, &raftpb.Entry{Data: data})
		}
		must(leader.Step(&raftpb.Message{Type: raftpb.MsgProp.Enum(), From: new(uint64(1)), Entries: entries}))
	}
	r.until(func() bool { return r.committed == r.proposed })
}

// What applications do now and then, so that memory does not grow.
func (r *rig) trim() {
	if r.committed-r.trimmed < trimEvery {
		return
	}
	r.trimmed = r.committed
	r.settle()
	for _, n := range r.nodes {
		must(n.storage.Compact(n.durable))
	}
}

type row struct {
	Name           string  `json:"name"`
	Iterations     int     `json:"iterations"`
	RealTime       float64 `json:"real_time"`
	TimeUnit       string  `json:"time_unit"`
	ItemsPerSecond float64 `json:"items_per_second"`
	P50            float64 `json:"p50"`
	P99            float64 `json:"p99"`
	Fsync          int     `json:"fsync"`
}

func measure(name string, voters, inFlight, rounds int, payloads [][]byte) row {
	directory := ""
	if rounds > 0 {
		// Go keeps a processor for a while for who waits in the kernel: enough of them, so that no replica waits for that.
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(runtime.NumCPU(), voters+2)))
		var err error
		directory, err = os.MkdirTemp(*folder, "etcd_raft")
		must(err)
		defer os.RemoveAll(directory)
	}
	r := newRig(voters, directory)
	defer r.close()
	var times []float64
	sum := 0.0
	at := 0
	for rounds > 0 && len(times) < rounds || rounds == 0 && sum < *seconds {
		if at+inFlight > len(payloads) {
			at = 0
		}
		begin := time.Now()
		r.commit(payloads[at : at+inFlight])
		r.trim()
		took := time.Since(begin).Seconds()
		at += inFlight
		if directory != "" {
			r.settle()
		}
		times = append(times, took)
		sum += took
	}
	count := len(times)
	slices.Sort(times)
	return row{name, count, sum / float64(count) * 1e9, "ns", float64(count*inFlight) / sum,
		times[count/2], times[count*99/100], min(rounds, 1)}
}

func main() {
	flag.Parse()
	var payloads [][]byte
	for i := 0; i*entryBytes < rotationBytes; i++ {
		payloads = append(payloads, []byte(strings.Repeat(string(rune('a'+i%26)), entryBytes)))
	}
	rows := []row{}
	for _, kind := range []string{"Commit", "CommitDurable"} {
		for _, inFlight := range []int{1, 64, 1000} {
			for _, voters := range []int{3, 5} {
				name := fmt.Sprintf("%s/%d/%d", kind, voters, inFlight)
				if !strings.Contains(name, *filter) {
					continue
				}
				rounds := 0
				if kind == "CommitDurable" {
					rounds = 300
					if inFlight == 1000 {
						rounds = 200
					}
				}
				runtime.GC()
				rows = append(rows, measure(name, voters, inFlight, rounds, payloads))
			}
		}
	}
	text, err := json.MarshalIndent(map[string]any{
		"context":    map[string]any{"go": runtime.Version(), "cores": runtime.NumCPU()},
		"benchmarks": rows}, "", " ")
	must(err)
	fmt.Println(string(text))
}
