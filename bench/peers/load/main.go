// Command load has many clients write small keyed records to a topic and as many read them, and says how long it took.
//
//	load -address HOST:PORT -topic T -producers 50 -consumers 50 -rate 400 -batch 10 -bytes 200 -warmup 5s -time 60s
//
// Open loop: each producer sends a batch when its time has come, whether or not earlier ones were answered, and every
// latency counts from that time; so a broker that stops for a second is charged for all that waited. With -rate 0 a
// producer sends on as soon as fewer than -window of its records are unanswered: what the brokers can take at most. The
// consumers are one group and hold every partition before the first record is sent. Prints the line `measuring` after
// the warm-up,
// `measured` at the end, and then a line of JSON.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math/bits"
	"math/rand"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	address   = flag.String("address", "", "of the broker")
	topic     = flag.String("topic", "", "to write to and to read; there already")
	parts     = flag.Int("partitions", 50, "of the topic")
	producers = flag.Int("producers", 50, "clients that write")
	consumers = flag.Int("consumers", 50, "clients that read, one group")
	rate      = flag.Int("rate", 400, "records a second of each producer; 0: as many as are taken")
	window    = flag.Int("window", 2000, "records of a producer that wait for an answer, with -rate 0")
	batch     = flag.Int("batch", 10, "records that a producer sends at once, of several keys")
	size      = flag.Int("bytes", 200, "of a record's value")
	keys      = flag.Int("keys", 10000, "different keys")
	warmup    = flag.Duration("warmup", 5*time.Second, "not measured")
	duration  = flag.Duration("time", time.Minute, "measured")
)

// histogram counts microseconds to within 1.6 %.
type histogram struct {
	counts [64 * 64]atomic.Uint64
	max    atomic.Int64
}

func bucketOf(us int64) int {
	if us < 64 {
		return int(us)
	}
	shift := bits.Len64(uint64(us)) - 7
	return 64*(shift+1) + int(us>>shift) - 64
}

func (h *histogram) add(d time.Duration) {
	us := max(d.Microseconds(), 0)
	h.counts[bucketOf(us)].Add(1)
	for seen := h.max.Load(); us > seen && !h.max.CompareAndSwap(seen, us); seen = h.max.Load() {
	}
}

func (h *histogram) percentiles() map[string]int64 {
	total := uint64(0)
	for i := range h.counts {
		total += h.counts[i].Load()
	}
	found := map[string]int64{"max": h.max.Load(), "count": int64(total)}
	for name, share := range map[string]float64{"p50": .5, "p95": .95, "p99": .99, "p99.9": .999} {
		seen := uint64(0)
		for i := range h.counts {
			seen += h.counts[i].Load()
			if total > 0 && float64(seen) >= share*float64(total) {
				us := int64(i)
				if i >= 64 {
					us = int64(i%64+65) << (i/64 - 1) // the end of the bucket
				}
				found[name] = min(us, h.max.Load())
				break
			}
		}
	}
	return found
}

type run struct {
	producing, reading    histogram
	sent, acked, consumed atomic.Int64
	assigned              atomic.Int64
	from, until           time.Time // what counts: batches that were due between
	errorsMutex           sync.Mutex
	errors                map[string]int
}

func (r *run) fail(err error) {
	r.errorsMutex.Lock()
	defer r.errorsMutex.Unlock()
	r.errors[err.Error()]++
}

func (r *run) counts(due time.Time) bool { return !due.Before(r.from) && due.Before(r.until) }

func (r *run) produce(ctx context.Context, number int, begin time.Time) error {
	options := []kgo.Opt{kgo.SeedBrokers(*address), kgo.DefaultProduceTopic(*topic), kgo.ClientID("producer"),
		kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression())}
	if *rate == 0 {
		options = append(options, kgo.MaxBufferedRecords(*window))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	random := rand.New(rand.NewSource(int64(number)))
	if *rate == 0 {
		time.Sleep(time.Until(begin))
		for at := time.Now(); at.Before(r.until); at = time.Now() {
			r.send(ctx, client, random, at)
		}
		return client.Flush(ctx)
	}
	interval := time.Duration(float64(time.Second) * float64(*batch) / float64(*rate))
	due := begin.Add(time.Duration(random.Int63n(int64(interval))))
	for ; due.Before(r.until); due = due.Add(interval) {
		time.Sleep(time.Until(due))
		for i := 0; i < *batch; i++ {
			r.send(ctx, client, random, due)
		}
	}
	return client.Flush(ctx)
}

// send waits while the client holds as many records as it may.
func (r *run) send(ctx context.Context, client *kgo.Client, random *rand.Rand, at time.Time) {
	value := make([]byte, *size)
	random.Read(value)
	binary.BigEndian.PutUint64(value, uint64(at.UnixNano()))
	record := kgo.KeySliceRecord([]byte(fmt.Sprint("key-", random.Intn(*keys))), value)
	r.sent.Add(1)
	client.Produce(ctx, record, func(_ *kgo.Record, err error) {
		if err != nil {
			r.fail(fmt.Errorf("produce: %w", err))
			return
		}
		r.acked.Add(1)
		if r.counts(at) {
			r.producing.add(time.Since(at))
		}
	})
}

func (r *run) consume(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(*address), kgo.ConsumerGroup("readers-of-"+*topic),
		kgo.ConsumeTopics(*topic), kgo.ClientID("consumer"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, added map[string][]int32) {
			r.assigned.Add(int64(len(added[*topic])))
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
			r.assigned.Add(-int64(len(lost[*topic])))
		}))
	if err != nil {
		return err
	}
	defer client.Close()
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		now := time.Now()
		fetches.EachError(func(_ string, _ int32, err error) {
			if ctx.Err() == nil {
				r.fail(fmt.Errorf("fetch: %w", err))
			}
		})
		fetches.EachRecord(func(record *kgo.Record) {
			r.consumed.Add(1)
			if due := time.Unix(0, int64(binary.BigEndian.Uint64(record.Value))); r.counts(due) {
				r.reading.add(now.Sub(due))
			}
		})
	}
	return nil
}

func (r *run) waitFor(what string, limit time.Duration, done func() bool) {
	for deadline := time.Now().Add(limit); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.fail(fmt.Errorf("after %v not yet: %s", limit, what))
			return
		}
	}
}

func main() {
	flag.Parse()
	ctx, cancel := context.WithCancel(context.Background())
	r := &run{errors: map[string]int{}}
	var reading, writing sync.WaitGroup
	for i := 0; i < *consumers; i++ {
		reading.Add(1)
		go func() {
			defer reading.Done()
			if err := r.consume(ctx); err != nil {
				r.fail(err)
			}
		}()
	}
	// All members, then all partitions, and no rebalance any more.
	stable := time.Now()
	r.waitFor("every partition has a consumer", time.Minute, func() bool {
		if r.assigned.Load() != int64(*parts) {
			stable = time.Now()
		}
		return *consumers == 0 || time.Since(stable) > 3*time.Second
	})
	begin := time.Now().Add(100 * time.Millisecond)
	r.from, r.until = begin.Add(*warmup), begin.Add(*warmup+*duration)
	for i := 0; i < *producers; i++ {
		writing.Add(1)
		go func() {
			defer writing.Done()
			if err := r.produce(ctx, i, begin); err != nil {
				r.fail(err)
			}
		}()
	}
	time.Sleep(time.Until(r.from))
	atStart := r.acked.Load()
	fmt.Println("measuring")
	time.Sleep(time.Until(r.until))
	atEnd := r.acked.Load()
	fmt.Println("measured")
	writing.Wait()
	r.waitFor("all records are read", 30*time.Second, func() bool {
		return *consumers == 0 || r.consumed.Load() >= r.acked.Load()
	})
	cancel()
	reading.Wait()
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"sent": r.sent.Load(), "acked": r.acked.Load(), "consumed": r.consumed.Load(), "errors": r.errors,
		"measured_records": atEnd - atStart, "record_bytes": *size, "seconds": duration.Seconds(),
		"produce_us": r.producing.percentiles(), "end_to_end_us": r.reading.percentiles(),
	})
}
