// Sends a little by Prometheus' own remote-write client, version 2: main <port>. Nothing in here knows Spyhop.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/client_golang/exp/api/remote"
	writev2 "github.com/prometheus/client_golang/exp/api/remote/genproto/v2"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(port string) error {
	api, err := remote.NewAPI("http://127.0.0.1:" + port)
	if err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	symbols := writev2.NewSymbolTable()
	labels := func(name string) []uint32 {
		return symbols.SymbolizeLabels([]string{
			"__name__", name, "instance", "b:9090", "job", "go-prometheus", "method", "GET",
		}, nil)
	}
	trace := symbols.SymbolizeLabels([]string{"trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"}, nil)
	request := &writev2.Request{Timeseries: []*writev2.TimeSeries{
		{
			LabelsRefs: labels("payments_total"),
			Samples:    []*writev2.Sample{{Value: 7, Timestamp: now - 1000}, {Value: 9, Timestamp: now}},
			Exemplars:  []*writev2.Exemplar{{LabelsRefs: trace, Value: 0.25, Timestamp: now}},
			Metadata: &writev2.Metadata{
				Type:    writev2.Metadata_METRIC_TYPE_COUNTER,
				HelpRef: symbols.Symbolize("payments made"),
			},
		},
		{
			LabelsRefs: labels("payment_seconds"),
			Histograms: []*writev2.Histogram{{
				Count:          &writev2.Histogram_CountInt{CountInt: 6},
				Sum:            4.5,
				Schema:         1,
				ZeroThreshold:  0.001,
				ZeroCount:      &writev2.Histogram_ZeroCountInt{ZeroCountInt: 1},
				PositiveSpans:  []*writev2.BucketSpan{{Offset: 0, Length: 2}, {Offset: 1, Length: 1}},
				PositiveDeltas: []int64{1, 1, 0},
				Timestamp:      now,
			}},
			Metadata: &writev2.Metadata{Type: writev2.Metadata_METRIC_TYPE_HISTOGRAM},
		},
	}}
	request.Symbols = symbols.Symbols()
	stats, err := api.Write(context.Background(), remote.WriteV2MessageType, request)
	if err != nil {
		return err
	}
	if stats.Samples != 2 || stats.Histograms != 1 || stats.Exemplars != 1 {
		return fmt.Errorf("the answer says %+v was written", stats)
	}
	return nil
}
