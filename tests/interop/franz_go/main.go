// Command franz_go talks to a broker with franz-go.
//
//	franz_go read ADDRESS TOPIC    prints `partition count sha256` of all records of each partition, as readers.py does
//	franz_go admin ADDRESS TOPIC   creates the topic, produces with every codec, reads back, describes and deletes it
//	franz_go member ADDRESS TOPIC GROUP SESSION_MS STRATEGY   a member of a group until SIGTERM, as group_member.py
package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type digest struct {
	count, next int64
	hash        hash.Hash
}

func (d *digest) add(r *kgo.Record) error {
	if r.Offset < d.next {
		return fmt.Errorf("offset %d after %d", r.Offset, d.next-1)
	}
	d.next = r.Offset + 1
	d.count++
	for _, part := range [][]byte{r.Key, r.Value} {
		var size [4]byte
		binary.BigEndian.PutUint32(size[:], uint32(len(part)))
		d.hash.Write(size[:])
		d.hash.Write(part)
	}
	return nil
}

func readAll(ctx context.Context, address, topic string) (map[int32]*digest, error) {
	plain, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	ends, err := kadm.NewClient(plain).ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	if err := ends.Error(); err != nil {
		return nil, err
	}
	digests := map[int32]*digest{}
	from := map[int32]kgo.Offset{}
	var left int64
	ends.Each(func(o kadm.ListedOffset) {
		digests[o.Partition] = &digest{hash: sha256.New()}
		from[o.Partition] = kgo.NewOffset().At(0)
		left += o.Offset
	})
	client, err := kgo.NewClient(kgo.SeedBrokers(address),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		var failed error
		fetches.EachRecord(func(r *kgo.Record) {
			if err := digests[r.Partition].add(r); err != nil {
				failed = err
			}
			left--
		})
		if failed != nil {
			return nil, failed
		}
	}
	return digests, nil
}

func read(ctx context.Context, address, topic string) error {
	digests, err := readAll(ctx, address, topic)
	if err != nil {
		return err
	}
	partitions := []int{}
	for p := range digests {
		partitions = append(partitions, int(p))
	}
	sort.Ints(partitions)
	for _, p := range partitions {
		d := digests[int32(p)]
		fmt.Printf("%d %d %x\n", p, d.count, d.hash.Sum(nil))
	}
	return nil
}

func admin(ctx context.Context, address, topic string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		return err
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	retention := "3600000"
	created, err := adm.CreateTopic(ctx, 3, 1, map[string]*string{"retention.ms": &retention}, topic)
	if err != nil || created.Err != nil {
		return fmt.Errorf("create: %v %v", err, created.Err)
	}
	if again, _ := adm.CreateTopic(ctx, 3, 1, nil, topic); again.Err == nil ||
		!strings.Contains(again.Err.Error(), "TOPIC_ALREADY_EXISTS") {
		return fmt.Errorf("creating it again said %v", again.Err)
	}
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(),
		kgo.Lz4Compression(), kgo.ZstdCompression()}
	for i, codec := range codecs {
		producer, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.DefaultProduceTopic(topic),
			kgo.ProducerBatchCompression(codec))
		if err != nil {
			return err
		}
		for n := 0; n < 300; n++ {
			producer.Produce(ctx, kgo.KeyStringRecord(fmt.Sprint("k", n), strings.Repeat(fmt.Sprint(i, " ", n), 20)),
				func(_ *kgo.Record, e error) {
					if e != nil {
						err = e
					}
				})
		}
		if flushed := producer.Flush(ctx); flushed != nil || err != nil {
			return fmt.Errorf("codec %d: %v %v", i, flushed, err)
		}
		producer.Close()
	}
	digests, err := readAll(ctx, address, topic)
	if err != nil {
		return err
	}
	total := int64(0)
	for _, d := range digests {
		total += d.count
	}
	if total != 1500 || len(digests) != 3 {
		return fmt.Errorf("read %d records of %d partitions; 1500 of 3 were due", total, len(digests))
	}
	configs, err := adm.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return err
	}
	found := false
	for _, config := range configs[0].Configs {
		found = found || config.Key == "retention.ms" && config.MaybeValue() == retention
	}
	if !found {
		return fmt.Errorf("retention.ms is not %s in %v", retention, configs[0].Configs)
	}
	cluster, err := adm.BrokerMetadata(ctx)
	if err != nil || len(cluster.Brokers) != 1 {
		return fmt.Errorf("brokers: %v %v", cluster.Brokers, err)
	}
	deleted, err := adm.DeleteTopics(ctx, topic)
	if err != nil || deleted.Error() != nil {
		return fmt.Errorf("delete: %v %v", err, deleted.Error())
	}
	fmt.Println("1500 records of 3 partitions")
	return nil
}

func sorted(partitions map[int32]bool) string {
	all := []int{}
	for p := range partitions {
		all = append(all, int(p))
	}
	sort.Ints(all)
	return strings.Trim(fmt.Sprint(all), "[]")
}

func member(address, topic, group, session, strategy string) error {
	milliseconds, err := strconv.Atoi(session)
	if err != nil {
		return err
	}
	timeout := time.Duration(milliseconds) * time.Millisecond
	balancer := kgo.RangeBalancer()
	if strategy == "cooperative-sticky" {
		balancer = kgo.CooperativeStickyBalancer()
	}
	mine := map[int32]bool{}
	lost := func(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
		taken := map[int32]bool{}
		for _, p := range gone[topic] {
			taken[p] = true
			delete(mine, p)
		}
		fmt.Println("lost", sorted(taken))
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.Balancers(balancer), kgo.SessionTimeout(timeout),
		kgo.HeartbeatInterval(timeout/5), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, added map[string][]int32) {
			for _, p := range added[topic] {
				mine[p] = true
			}
			fmt.Println("assigned", sorted(mine))
		}),
		kgo.OnPartitionsRevoked(lost), kgo.OnPartitionsLost(lost))
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		fetches.EachRecord(func(r *kgo.Record) { fmt.Println("read", r.Partition, r.Offset) })
		if err := client.CommitUncommittedOffsets(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		client.AllowRebalance()
	}
	client.CloseAllowingRebalance()
	return nil
}

func main() {
	if os.Args[1] == "member" {
		if err := member(os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6]); err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	command := map[string]func(context.Context, string, string) error{"read": read, "admin": admin}[os.Args[1]]
	if err := command(ctx, os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
