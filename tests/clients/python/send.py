"""Sends numbered spans, log records and data points with the Python SDK as guides set it up.

Usage: send.py grpc|http|json, with the usual environment (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME,
OTEL_BSP_SCHEDULE_DELAY …) and CLIENT_RECORDS, CLIENT_POINTS, CLIENT_SECONDS. Nothing in here knows Spyhop.
"""

import os
import sys
import time

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

if sys.argv[1] == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
elif sys.argv[1] == "http":
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
else:
    from opentelemetry.exporter.otlp.json.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.json.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter

RECORDS = int(os.environ["CLIENT_RECORDS"])
POINTS = int(os.environ["CLIENT_POINTS"])
SECONDS = float(os.environ["CLIENT_SECONDS"])

tracers = TracerProvider()
tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
loggers = LoggerProvider()
loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
meters = MeterProvider(metric_readers=[PeriodicExportingMetricReader(OTLPMetricExporter())])

counter = meters.get_meter("client").create_counter("client.points")
for number in range(POINTS):
    counter.add(1, {"number": f"point #{number:06}#"})

tracer = tracers.get_tracer("client")
logger = loggers.get_logger("client")
for number in range(RECORDS):
    with tracer.start_as_current_span(f"span #{number:06}#", attributes={"number": number}):
        logger.emit(
            LogRecord(
                timestamp=time.time_ns(),
                severity_number=SeverityNumber.INFO,
                body=f"log #{number:06}#",
                attributes={"number": number},
            )
        )
    time.sleep(SECONDS / RECORDS)

# Each sends what it still has; metrics are sent once more.
tracers.shutdown()
loggers.shutdown()
meters.shutdown()
